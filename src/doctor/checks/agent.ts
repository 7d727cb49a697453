/** The configuration, and the agent itself. */
import {stat} from 'node:fs/promises';
import {createClient} from '../../api/client.ts';
import {describeProblem} from '../../config/problem.ts';
import {CellarError} from '../../core/errors.ts';
import {type Check, fail, ok, warn} from '../check.ts';

const restart = 'systemctl restart cellar-agent';

export const agentChecks: Check[] = [
  {
    id: 'config',
    title: 'the configuration can be read, and names nothing unknown',
    run({config, settings}) {
      const problems = config.check();
      if (problems.length > 0) return problems.map(problem => fail(describeProblem(problem), problem.hint));
      settings();
      return ok(`read from ${config.files.join(', ') || 'no file'}`);
    },
  },
  {
    id: 'socket',
    title: "the agent's socket is there, for its owner and group only",
    needs: ['config'],
    async run({socket, settings}) {
      const wanted = settings().socket.mode;
      const found = await stat(socket).catch((error: NodeJS.ErrnoException) => error.code);
      if (found === undefined || typeof found === 'string')
        return fail(`${socket} cannot be looked at: ${found}`, start(settings().facade !== undefined));
      if (!found.isSocket()) return fail(`${socket} is no socket`, `rm ${socket}; ${restart}`);
      const mode = found.mode & 0o777;
      const seen = `${socket}, mode ${octal(mode)}, uid ${found.uid}, gid ${found.gid}`;
      if (mode & 0o007) return warn(`${seen}: everybody on this host may use it`, `chmod ${octal(wanted)} ${socket}`);
      if (mode !== wanted)
        return warn(`${seen}; [agent] socket_mode is ${octal(wanted)}`, `chmod ${octal(wanted)} ${socket}`);
      return ok(seen);
    },
  },
  {
    id: 'agent',
    title: 'the agent answers, in the version of this command',
    needs: ['socket'],
    async run({socket, version}, signal) {
      const client = createClient({socket, version});
      const status = await client.status({signal, timeout: 10_000}).catch(error => {
        throw error instanceof CellarError && error.kind === 'forbidden'
          ? error
          : new CellarError('unavailable', `the agent does not answer: ${error.message}`, {hint: restart});
      });
      if (status.version !== version) return warn(`the agent is ${status.version}, this is ${version}`, restart);
      return ok(`${status.version} on ${status.host}, since ${status.since}`);
    },
  },
];

/** A socket of systemd's can only be started before its service. */
const start = (facade: boolean): string =>
  `systemctl start ${facade ? 'cellar-facade.socket ' : ''}cellar-agent.socket cellar-agent`;

const octal = (mode: number) => mode.toString(8).padStart(4, '0');
