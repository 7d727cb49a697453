import {type RunOptions, run} from '../lab/run.ts';

/**
 * Put before a command: it runs in namespaces of its own, so that what it mounts is mounted nowhere else and is gone with it, as
 * are its children; and it dies with us, even by SIGKILL. Needs root.
 */
export const contained: readonly string[] = [
  ...['setpriv', '--pdeathsig', 'KILL', '--'],
  ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
];

/** Runs a command so; resolves its stdout. */
export function runContained(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const [first = '', ...rest] = [...contained, ...command];
  return run(first, rest, options);
}
