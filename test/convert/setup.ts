import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ConvertedFormat, Verdict} from '../../src/core/format/index.ts';
import {judge} from '../core/format/images.ts';

export const never = new AbortController().signal;

/** What the inspector found in a file that is to be converted; fails when it refuses it. */
export function expected(declared: ConvertedFormat, bytes: Buffer): Extract<Verdict, {store: 'convert'}> {
  const verdict = judge(declared, bytes);
  if (!verdict.ok || verdict.store !== 'convert') throw new Error(`${declared}: ${verdict.why}`);
  return verdict;
}

/**
 * A qemu-img of the test's own, first on PATH while `work` runs. PATH is the process's: only for serial tests.
 * Its script finds its directory in $0.
 */
export async function withFakeQemuImg<V>(script: string, work: (directory: string) => Promise<V>): Promise<V> {
  const directory = mkdtempSync(join(tmpdir(), 'cellar-fake-qemu-'));
  const before = process.env['PATH'];
  const file = join(directory, 'qemu-img');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  process.env['PATH'] = `${directory}:${before}`;
  try {
    return await work(directory);
  } finally {
    process.env['PATH'] = before;
    rmSync(directory, {recursive: true, force: true});
  }
}
