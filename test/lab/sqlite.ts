/** SQLite databases of the lab's services. */
import {run} from './run.ts';

/**
 * Write-ahead logging: without it a commit waits for every reader, and a service that has a reader open in another
 * thread of its own waits for itself ("database is locked"). The mode is kept in the file.
 */
export async function useWriteAheadLog(file: string): Promise<void> {
  const code =
    'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("pragma journal_mode=wal").fetchone()[0])';
  const mode = await run('/usr/bin/python3', ['-c', code, file]);
  if (mode.trim() !== 'wal')
    throw new Error(`${file} cannot use write-ahead logging: its journal mode is ${mode.trim()}`);
}
