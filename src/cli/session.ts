/** What every command needs: the agent's client, the configuration, and where to write. Made from the global options. */
import type {Readable} from 'node:stream';
import type {CallOptions, Client} from '../api/client.ts';
import type {Source} from '../config/files.ts';
import {readConfig} from '../config/load.ts';
import {type ProblemKind, problemsError} from '../config/problem.ts';
import {version} from '../config/version.ts';
import {type Format, printWarning, type Terminal} from './output.ts';
import {parseDuration} from './units.ts';

/** The global options, as yargs gives them. */
export type Globals = {
  socket?: string | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  debug?: boolean | undefined;
  timeout?: string | undefined;
};

/** Where the program runs: the process, or a test's stand-in. */
export type Surroundings = Terminal & {stdin: Readable; signal: AbortSignal; sources: readonly Source[]};

export type Session = Surroundings & {
  format: Format;
  /** Made when it is asked for: half of a start's time is its libraries, and not every command needs an agent. */
  client(): Promise<Client>;
  /** For every call of the client. */
  call: CallOptions & {signal: AbortSignal};
  /** Struck out of whatever is printed about an error. */
  secrets: string[];
};

export const formatOf = ({json, quiet}: Globals): Format => (json ? 'json' : quiet ? 'ids' : 'text');

export function openSession(around: Surroundings, globals: Globals, secrets: string[]): Session {
  const format = formatOf(globals);
  const onOtherVersion = (agent: string) => {
    if (format !== 'ids') printWarning(around, `the agent is version ${agent}, this is ${version}`);
  };
  return {
    ...around,
    format,
    secrets,
    call: {signal: around.signal, ...(globals.timeout !== undefined && {timeout: parseDuration(globals.timeout)})},
    async client() {
      const socket = globals.socket ?? socketPath(around);
      const {createClient} = await import('../api/client.ts');
      return createClient({socket, version, onOtherVersion});
    },
  };
}

/** Where the agent's socket is, unless the command line says so. */
export const socketPath = ({env, sources}: Pick<Surroundings, 'env' | 'sources'>): string =>
  env['CELLAR_SOCKET'] || configuredSocket(sources, env);

/** What is wrong with a file as such: it might have named another socket. */
const fileProblems: readonly ProblemKind[] = ['missing', 'denied', 'no-directory', 'unreadable', 'encoding', 'syntax'];

/**
 * [agent] socket. The CLI is less strict than the agent: values that it does not use are not its business, and Nova's files,
 * which hold passwords, need not be readable for those who may use the socket.
 */
function configuredSocket(sources: Surroundings['sources'], env: Surroundings['env']): string {
  const config = readConfig(sources, {env});
  const usual = sources.length === 0;
  const problems = config.check().filter(({kind}) => fileProblems.includes(kind) && !(usual && kind === 'denied'));
  if (problems.length > 0) throw problemsError(problems);
  return config.get('agent', 'socket');
}
