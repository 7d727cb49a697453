/** Is a made file older than what it is made from? */
import {readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';

/** True when `made` does not exist, or something in `sources` (files, and directories with all that is in them) is newer. */
export function isStale(made, sources) {
  const time = modified(made);
  return time === undefined || sources.flatMap(filesOf).some(file => (modified(file) ?? 0) > time);
}

function modified(file) {
  return statSync(file, {throwIfNoEntry: false})?.mtimeMs;
}

function filesOf(path) {
  const stat = statSync(path, {throwIfNoEntry: false});
  if (!stat?.isDirectory()) return stat ? [path] : [];
  const files = readdirSync(path, {withFileTypes: true});
  return files.flatMap(entry => filesOf(join(path, entry.name)));
}
