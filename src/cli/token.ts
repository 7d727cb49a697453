/** The requester's token: from a file, stdin or the environment, and never from the command line, which `ps` shows to all. */
import {readFile} from 'node:fs/promises';
import {addAbortSignal, type Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {CellarError} from '../core/errors.ts';

export type TokenSources = {
  /** --token-file; `-` is stdin. */
  file: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable;
  signal: AbortSignal;
};

/** undefined when there is none: then the agent uses its own rights. */
export async function readToken({file, env, stdin, signal}: TokenSources): Promise<string | undefined> {
  if (file === undefined) return env['OS_TOKEN'] || undefined;
  const what = file === '-' ? 'stdin' : file;
  let content: string;
  try {
    content =
      file === '-' ? await text(addAbortSignal(signal, stdin)) : await readFile(file, {encoding: 'utf8', signal});
  } catch (error) {
    signal.throwIfAborted();
    const {code} = error as NodeJS.ErrnoException;
    throw new CellarError('usage', `the token cannot be read from ${what}: ${code}`, {
      hint: 'check --token-file',
      cause: error,
    });
  }
  const token = content.trim();
  if (token === '')
    throw new CellarError('usage', `there is no token in ${what}`, {
      hint: 'try `openstack token issue -f value -c id`',
    });
  return token;
}
