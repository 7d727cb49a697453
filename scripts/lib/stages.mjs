/** Stages of the check: each ends with one line and its seconds, has a deadline, and is ended when we are told to stop. */
import {finished, start} from './child.mjs';
import {watchAncestors} from './orphan.mjs';

const stop = new AbortController();

/** Aborted when we are told to stop, or nobody is there any more who wants to know. */
export const stopped = stop.signal;

export const write = line => process.stdout.write(`${line}\n`);

export function listenForTheEnd() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop.abort(new Error(signal)));
  process.stdout.on('error', () => stop.abort(new Error('nobody reads our output')));
  watchAncestors(() => stop.abort(new Error('npm is gone')));
}

/** Resolves whether it succeeded. `act` gets a signal that aborts at the deadline or the stop; after a stop nothing begins. */
export async function stage(name, minutes, act) {
  if (stopped.aborted) return false;
  const deadline = AbortSignal.timeout(minutes * 60_000);
  const begin = performance.now();
  let ok = false;
  try {
    ok = await act(AbortSignal.any([stopped, deadline]));
  } catch (error) {
    write(error.message);
  }
  if (deadline.aborted) write(`${name} did not end within ${minutes} minutes`);
  write(`${ok ? '✔' : '✘'} ${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return ok;
}

/** Runs a command for a stage; shows what it printed only when it fails. */
export async function quietly(command, args, signal, env) {
  const child = start(command, args, {env});
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text;
    });
  }
  const ok = await finished(child, signal);
  if (!ok && !stopped.aborted) write(output.trimEnd());
  return ok;
}
