/** Steps of the setup, as a person sees them: a line when one begins, its seconds when it ends, its output only when it fails. */
import {spawn} from 'node:child_process';
import {closeSync, fstatSync, mkdtempSync, openSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** A failure that is told in one message, without a stack. */
export class SetupError extends Error {}

export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

export async function step(name, act) {
  const begin = performance.now();
  say(`${name} …`);
  await act();
  say(`${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

let logFile;

/** Where the output of the commands goes. Made when the first one runs. */
function log() {
  logFile ??= join(mkdtempSync(join(tmpdir(), 'cellar-setup-')), 'log');
  return logFile;
}

/**
 * Runs a command to its end. SIGINT and SIGTERM are passed on to it, and it is waited for: apt must not be left behind,
 * and what we changed for it is put back only when it has ended.
 */
export async function run(command, args, {env = {}} = {}) {
  const out = openSync(log(), 'a');
  const from = fstatSync(out).size;
  const child = spawn(command, args, {stdio: ['ignore', out, out], env: {...process.env, ...env}});
  closeSync(out);
  const forward = signal => child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  try {
    const how = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? signal));
    });
    if (how !== 0)
      throw new SetupError(
        `${[command, ...args].join(' ')} failed (${how}):\n${excerpt(readFileSync(log(), 'utf8').slice(from))}\nAll of its output: ${log()}`,
      );
  } finally {
    process.off('SIGINT', forward).off('SIGTERM', forward);
  }
}

/** Its beginning and its end: apt tells the reason last, npm first. */
function excerpt(text, [head, tail] = [15, 25]) {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= head + tail) return lines.join('\n');
  return [...lines.slice(0, head), `… ${lines.length - head - tail} lines …`, ...lines.slice(-tail)].join('\n');
}
