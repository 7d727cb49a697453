import {isAbsolute} from 'node:path';
import type {QemuView} from '../core/format/index.ts';

/**
 * How qemu-img is told what to read: the driver by name, a plain file under it, and no backing file whatever the header says.
 * In this form nothing is guessed and no part of the path is taken for a protocol.
 */
export function sourceSpec({driver, options}: Pick<QemuView, 'driver' | 'options'>, path: string): string {
  const file = {driver: 'file', filename: absolute(path)};
  return `json:${JSON.stringify({driver, ...options, ...(driver === 'qcow2' ? {backing: null} : {}), file})}`;
}

/** A path that qemu-img reads as a path: one that begins with a slash holds no protocol. */
export function absolute(path: string): string {
  if (!isAbsolute(path)) throw new TypeError(`${path} is not an absolute path`);
  return path;
}
