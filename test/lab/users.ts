/** Processes that use a lab: tests, and whatever they have started. */
import {readdirSync, readFileSync} from 'node:fs';

/**
 * Kills every process whose CELLAR_LAB names this state file. For a lab that belongs to one run of the tests: when that
 * run is killed, its tests are not, and when it ends, a test may have left something behind.
 */
export function killUsers(stateFile: string): void {
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    if (Number(pid) !== process.pid && uses(pid, stateFile)) kill(Number(pid));
  }
}

function uses(pid: string, stateFile: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`CELLAR_LAB=${stateFile}`);
  } catch {
    return false; // it has ended, or is somebody else's
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}
