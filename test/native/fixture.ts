/** What tests and the programs they start share. */
import {randomUUID} from 'node:crypto';
import type {ConnectOptions} from '../../src/rbd/native.ts';

export const MiB = 2 ** 20;

/** A name nobody else uses. */
export const unique = (prefix = 'image') => `${prefix}-${randomUUID().slice(0, 8)}`;

export function connectOptions({conf}: {conf: string}, changes: Partial<ConnectOptions> = {}): ConnectOptions {
  const deadlines = {clientMountTimeoutMs: 10_000, osdOpTimeoutMs: 10_000, monOpTimeoutMs: 10_000};
  return {user: 'admin', conf, ...deadlines, ...changes};
}
