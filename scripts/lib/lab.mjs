/** The lab of one run of the tests. */
import {spawn} from 'node:child_process';
import {mkdtempSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const stopMs = 60_000;

/**
 * Starts a lab, with these options, in a directory and on ports of its own. Its keeper (test/lab/main.ts hold) is in a session of its own, out
 * of reach of a terminal's signals. It stops the lab, kills what tests left running, and removes the directory when its
 * stdin ends: when we say so, and when we die.
 * `ready` settles when it is up or has failed; `env` is for those who use it; `stop` may be called at any time and more
 * than once, and comes back when nothing is left.
 */
export function startLab({options, minutes}) {
  const base = mkdtempSync(join(tmpdir(), 'cellar-test-'));
  const keeper = spawn(process.execPath, ['test/lab/main.ts', 'hold', '--base', base, ...options], {
    detached: true,
    stdio: 'pipe',
  });
  const ended = new Promise(resolve => keeper.on('close', resolve).on('error', resolve));
  keeper.stdin.on('error', () => undefined); // it has ended: `ended` tells

  async function stop() {
    keeper.stdin.end();
    const timer = setTimeout(() => keeper.kill('SIGKILL'), stopMs); // its daemons are tied to it
    await ended;
    clearTimeout(timer);
  }
  // what tests leave in their TMPDIR goes with the lab
  const env = {CELLAR_LAB: join(base, 'state.json'), TMPDIR: join(base, 'tmp')};
  return {ready: ready(keeper, ended, stop, minutes), env, stop};
}

/** The keeper prints one line on stdout when the lab is up, and why not on stderr. */
function ready(keeper, ended, stop, minutes) {
  let errors = '';
  keeper.stderr.setEncoding('utf8').on('data', text => {
    errors += text;
  });
  const timer = setTimeout(stop, minutes * 60_000);
  const result = new Promise((resolve, reject) => {
    keeper.stdout.once('data', resolve);
    ended.then(() => reject(new Error(`the lab did not start:\n${errors}`)));
  });
  const settled = () => clearTimeout(timer);
  result.then(settled, settled);
  return result;
}
