import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

/** Runs `act` with a directory that holds these files, and removes it. */
export function withFiles<R>(files: Record<string, string>, act: (dir: string) => R): R {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-config-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, name)), {recursive: true});
      writeFileSync(join(dir, name), content);
    }
    return act(dir);
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}
