/** `npm run lab -- up|down|status|env`: the lab for a person at a terminal; `hold` is the one that `npm test` uses. */
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {parseArgs} from 'node:util';
import {isAlive} from './daemon.ts';
import {type LabOptions, startLab, stopLab} from './lab.ts';
import {halt} from './run.ts';
import {defaultBase, labDaemons, novaDaemons, runsAt, stateFile} from './state.ts';
import {killUsers} from './users.ts';

const usage = `Usage: npm run lab -- COMMAND [--base DIR] [--port N] [--keep] [--nova [--cells N] [--no-compute]]

  up      start the lab (Ceph of a cell, Ceph of Glance, Keystone, Glance), unless it runs
  down    stop it and remove its files; --keep leaves the files
  status  say what runs
  env     print shell exports for it: eval "$(npm run --silent lab -- env)"
  hold    start it, and stop it when stdin ends, or on a signal

  --base DIR  its directory (default ${defaultBase()})
  --port N    the first of the 100 ports it uses on 127.0.0.1 (default: free ones from 21000 on)

With --nova, up and hold start Nova as well: MariaDB, RabbitMQ, Placement, nova-api, scheduler, conductors, and in cell1
a nova-compute with libvirt and KVM. It needs root.

  --cells N     1 (the default), or 2: a second cell with a Ceph cluster of its own, and no compute
  --no-compute  without the nova-compute
`;

const commands = {up, down, status, env, hold};
type Options = {base: string; port: number | undefined; keep: boolean; nova: LabOptions['nova']};

await main(process.argv.slice(2));

async function main(args: string[]): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => halt.abort(new Error(`stopped by ${signal}`)));
  }
  try {
    const {command, options} = parse(args);
    await command(options);
  } catch (error) {
    process.stderr.write(`lab: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function parse(args: string[]): {command: (options: Options) => Promise<void>; options: Options} {
  const {values, positionals} = parseArgs({
    args,
    allowPositionals: true,
    options: {
      base: {type: 'string'},
      port: {type: 'string'},
      keep: {type: 'boolean', default: false},
      nova: {type: 'boolean', default: false},
      cells: {type: 'string', default: '1'},
      'no-compute': {type: 'boolean', default: false},
    },
  });
  const name = positionals[0] ?? '';
  const command = Object.hasOwn(commands, name) ? commands[name as keyof typeof commands] : undefined;
  const port = values.port === undefined ? undefined : Number(values.port);
  if (!command || positionals.length > 1) throw new Error(`which command?\n\n${usage}`);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_436))
    throw new Error('--port is a number up to 65435');
  const cells = Number(values.cells);
  if (cells !== 1 && cells !== 2) throw new Error('--cells is 1 or 2');
  const nova = values.nova ? ({cells, compute: !values['no-compute']} as const) : undefined;
  return {command, options: {base: resolve(values.base ?? defaultBase()), port, keep: values.keep, nova}};
}

async function up({base, port, nova}: Options): Promise<void> {
  const running = runsAt(stateFile(base));
  if (running && nova && !running.nova) throw new Error(`the lab at ${base} runs already, without Nova: stop it first`);
  if (running) return say(`the lab runs already: ${base}`);
  const begin = performance.now();
  const state = await startLab({base, port, onStep, nova});
  say(
    `${seconds(begin)}  the lab is up: ${state.base}, ports ${state.port}-${state.port + 99}; stop it with: npm run lab -- down`,
  );
}

async function down({base, keep}: Options): Promise<void> {
  const begin = performance.now();
  await stopLab(base, {keep});
  say(`${seconds(begin)}  nothing runs in ${base}${keep ? '' : ', and it is removed'}`);
}

async function status({base}: Options): Promise<void> {
  const state = runsAt(stateFile(base));
  for (const daemon of [...labDaemons(base), ...novaDaemons(base)]) {
    process.stdout.write(`${isAlive(daemon) ? 'up  ' : 'down'} ${join(daemon.dir, daemon.name)} (pid ${daemon.pid})\n`);
  }
  process.stdout.write(state ? `the lab is up: ${stateFile(base)}\n` : `no lab runs in ${base}\n`);
  process.exitCode = state ? 0 : 3; // as `systemctl status` does
}

async function env({base}: Options): Promise<void> {
  if (!runsAt(stateFile(base))) throw new Error(`no lab runs in ${base}: start one with \`npm run lab -- up\``);
  process.stdout.write(readFileSync(join(base, 'env'), 'utf8'));
}

/**
 * For one run of the tests: prints the state file when the lab is up, ends what uses it and the lab when stdin ends. The
 * caller's end of the pipe closes however the caller dies.
 */
async function hold({base, port, nova}: Options): Promise<void> {
  process.stdin.on('end', () => halt.abort(new Error('stopped: stdin has ended'))).resume();
  process.stdout.on('error', () => undefined); // a caller that has died reads no more
  process.stderr.on('error', () => undefined);
  try {
    const state = await startLab({base, port, onStep, nova, tied: true});
    process.stdout.write(`${stateFile(state.base)}\n`);
    if (!halt.signal.aborted) await new Promise(resolve => halt.signal.addEventListener('abort', resolve));
  } finally {
    killUsers(stateFile(base));
    await stopLab(base);
    process.stdin.destroy(); // an open one would keep us here
  }
}

function onStep(name: string): () => void {
  const begin = performance.now();
  return () => say(`${seconds(begin)}  ${name}`);
}

function seconds(begin: number): string {
  return `${((performance.now() - begin) / 1000).toFixed(1).padStart(6)} s`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
