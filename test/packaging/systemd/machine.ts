/** A systemd that runs cellar's units as they are packaged, for tests: see machine.sh. Needs root, and cgroup2. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {run, tail, waitFor} from '../../lab/run.ts';

export type MachineOptions = {
  /** Files over those of this host's /etc, by their path in it. Only root may read them, but for nova.conf and cellar.conf. */
  etc: Record<string, string>;
  /** Drop-ins, by the unit's name. */
  dropins?: Record<string, string>;
};

export type Machine = AsyncDisposable & {
  /** A path of the machine's, as this host sees it. */
  path(inside: string): string;
  /** Runs a command in it; resolves its stdout. */
  run(command: string, ...args: string[]): Promise<string>;
  systemctl(...args: string[]): Promise<string>;
  /** Properties of a unit, as `systemctl show` names them. */
  show(unit: string, ...properties: string[]): Promise<Record<string, string>>;
  /** What the unit has written to stdout and stderr. */
  log(unit: string): string;
};

const services = ['cellar-agent.service', 'cellar-registrar.service'];
const repository = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const script = fileURLToPath(new URL('machine.sh', import.meta.url));

/** Boots it; no unit of cellar's runs yet. */
export async function startMachine({etc, dropins = {}}: MachineOptions): Promise<Machine> {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-machine-'));
  chmodSync(dir, 0o755); // what lies over /etc must be reachable for the service's user
  for (const [path, text] of Object.entries(etc)) {
    mkdirSync(dirname(join(dir, 'etc', path)), {recursive: true});
    writeFileSync(join(dir, 'etc', path), text, {
      mode:
        path === 'nova/nova.conf' || path === 'cellar/cellar.conf'
          ? 0o640
          : path.startsWith('ceph/ceph.conf')
            ? 0o644
            : 0o600,
    });
  }
  mkdirSync(join(dir, 'dropins'));
  for (const unit of services) {
    const output = `StandardOutput=append:/run/${unit}.log\nStandardError=append:/run/${unit}.log\n`;
    writeFileSync(join(dir, 'dropins', `${unit}.conf`), `[Service]\n${output}${dropins[unit] ?? ''}`);
  }
  for (const [unit, text] of Object.entries(dropins)) {
    if (unit.endsWith('.socket')) writeFileSync(join(dir, 'dropins', `${unit}.conf`), text);
  }

  const args = ['--pdeathsig', 'TERM', 'unshare', '--mount', '--propagation', 'private'];
  const child = spawn('setpriv', [...args, script, 'outside', repository, process.execPath, dir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk));
  const closed = once(child, 'close');
  const stop = () =>
    child.exitCode === null && child.signalCode === null ? undefined : `the machine has ended: ${said}`;
  const pidFile = join(dir, 'pid');
  const end = async () => {
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    else child.kill('SIGTERM');
    await closed;
    rmSync(dir, {recursive: true, force: true});
  };
  try {
    await waitFor(
      'systemd to be up',
      async () => {
        const pid = readFileSync(pidFile, 'utf8').trim();
        await run('nsenter', ['-t', pid, '-m', '-p', '-i', '-u', 'systemctl', 'is-active', 'machine.target']);
      },
      {stop},
    );
  } catch (error) {
    await end();
    throw error;
  }
  const pid = readFileSync(pidFile, 'utf8').trim();
  const inside: Machine['run'] = (command, ...rest) =>
    run('nsenter', ['-t', pid, '-m', '-p', '-i', '-u', command, ...rest]);
  const path: Machine['path'] = one => `/proc/${pid}/root${one}`;
  const log: Machine['log'] = unit => {
    const file = path(`/run/${unit}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  return {
    path,
    run: inside,
    async systemctl(...rest) {
      try {
        return await inside('systemctl', ...rest);
      } catch (error) {
        const said = services.map(log).join('');
        throw new Error(`${(error as Error).message}\n${tail(said, 10)}`, {cause: error});
      }
    },
    async show(unit, ...properties) {
      const text = await inside('systemctl', 'show', unit, ...properties.map(name => `--property=${name}`));
      return Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map(line => line.split(/=(.*)/s, 2) as [string, string]),
      );
    },
    log,
    [Symbol.asyncDispose]: end,
  };
}
