/** Agents on listening sockets that a parent holds: when one ends, the next begins. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';

const holder = fileURLToPath(new URL('./holder.ts', import.meta.url));
const daemon = fileURLToPath(new URL('../../src/daemon/main.ts', import.meta.url));

type Line = {pid: number; msg: string; [field: string]: unknown};

export type HeldAgents = AsyncDisposable & {
  /** What all of them have logged. */
  log: Line[];
  /** When so many have begun to serve: the process id of the last of them. */
  ready(count: number): Promise<number>;
  /** The same for those that have stopped in order. */
  ended(count: number): Promise<number>;
  /** The first line that `wanted` is true for. */
  waitForLog(wanted: (line: Line) => boolean): Promise<Line>;
};

/** Runs agents with these configuration files, one after the other, on this unix socket and this port of the facade. */
export async function holdAgents(socket: string, port: string, files: string[]): Promise<HeldAgents> {
  const agent = [daemon, ...files.map(file => `--config-file=${file}`)];
  const child = spawn(process.execPath, [holder, socket, port, ...agent], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const log: Line[] = [];
  const lines = createInterface({input: child.stdout});
  lines.on('line', text => {
    if (text.startsWith('{')) log.push(JSON.parse(text));
  });
  const find = async (wanted: (line: Line) => boolean, count = 1): Promise<Line> => {
    for (let round = 0; ; round++) {
      const found = log.filter(wanted)[count - 1];
      if (found !== undefined) return found;
      if (round > 1200) throw new Error(`not in the log of the agents:\n${log.map(line => line.msg).join('\n')}`);
      await sleep(50);
    }
  };
  return {
    log,
    ready: async count => (await find(({msg}) => msg === 'the facade answers for Glance', count)).pid,
    ended: async count => (await find(({msg}) => msg === 'cellar-agent has stopped', count)).pid,
    waitForLog: find,
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL'); // with the agent that runs now
      await once(lines, 'close');
    },
  };
}
