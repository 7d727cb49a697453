/** What an operator would type: the rbd command, curl, and both in a pipe. Each resolves its milliseconds, the process's start included. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Cluster} from '../../test/lab/cluster.ts';
import {run} from '../../test/lab/run.ts';
import {timed} from '../interleave.ts';
import type {Parent} from './floor.ts';

const timeoutMs = 600_000;

/** `rbd clone` and `rbd resize`. */
export async function rbdClone(
  {conf}: Cluster,
  {pool, image, snapshot}: Parent,
  disk: string,
  size: number,
): Promise<number> {
  const rbd = (...args: string[]) => run('rbd', ['-c', conf, '--id', 'cellar', ...args]);
  const {ms} = await timed(async () => {
    await rbd('clone', `${pool}/${image}@${snapshot}`, `vms/${disk}`);
    await rbd('resize', '--no-progress', '--size', `${size}B`, `vms/${disk}`);
  });
  return ms;
}

/** Where curl finds the token: not in its arguments, which every process sees. */
export function headerFile(base: string, token: string): string {
  const file = join(base, 'token-header');
  writeFileSync(file, `X-Auth-Token: ${token}\n`, {mode: 0o600});
  return file;
}

/** `curl URL` to nothing. */
export async function curl(url: string, header: string): Promise<number> {
  return (await timed(() => run('curl', ['-sSf', '-o', '/dev/null', '-H', `@${header}`, url], {timeoutMs}))).ms;
}

/** `curl URL | rbd import -` */
export async function curlImport({conf}: Cluster, url: string, header: string, disk: string): Promise<number> {
  const pipe =
    'set -o pipefail; curl -sSf -H "@$1" "$2" | rbd -c "$3" --id cellar import --no-progress --image-format 2 - "$4"';
  return (await timed(() => run('bash', ['-c', pipe, 'bash', header, url, conf, `vms/${disk}`], {timeoutMs}))).ms;
}
