/** A real Ceph cluster on loopback in a few seconds: one monitor, one OSD, cephx on, nothing outside its directory. */
import {randomUUID} from 'node:crypto';
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {type Caps, confFile, seedKeyring, writeCephFiles} from './ceph-files.ts';
import {type Cluster, clusterAt, makePool} from './cluster.ts';
import {
  type Daemon,
  ended,
  logTail,
  obituary,
  recordedDaemon,
  recordedDaemons,
  signalDaemon,
  startDaemon,
  stopDaemon,
  stopDaemons,
  whileAlive,
} from './daemon.ts';
import {all, halt, run, waitFor} from './run.ts';

export type CephOptions = {
  name: string;
  /** Its directory: it is emptied first, and removed by `stop`. */
  base: string;
  /** It uses `port` to `port + 39` on 127.0.0.1. */
  port: number;
  pools?: string[];
  /** Further users, by name without `client.`. */
  users?: Record<string, Caps>;
  /** memstore (the default) is quick and keeps nothing over the OSD's end; bluestore on a sparse file survives even SIGKILL. */
  objectstore?: 'memstore' | 'bluestore';
  /** Quotas and pool statistics come from a manager; nothing else needs one. Needs the package ceph-mgr. */
  mgr?: boolean;
  /** The daemons die with this process, whatever kills it. */
  tied?: boolean;
};

export type CephDaemon = 'mon.a' | 'osd.0' | 'mgr.x';

/** A cluster of our own, whose daemons may be disturbed. */
export type RunningCeph = Cluster & {
  signal(daemon: CephDaemon, signal: NodeJS.Signals): void;
  /** Signals it and waits for its end. */
  kill(daemon: CephDaemon, signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after its end, and waits until it serves. */
  restart(daemon: CephDaemon): Promise<void>;
  /** Ends the daemons and removes the directory. May be called twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function startCeph(options: CephOptions): Promise<RunningCeph> {
  const {name, base, port, pools = [], users = {}, objectstore = 'memstore', mgr = false} = options;
  await stopCeph(base);
  const fsid = randomUUID();
  try {
    writeCephFiles({base, port, fsid, objectstore, users});
    const cluster = running({name, fsid, base}, options);
    const osdUuid = randomUUID();
    await all([startMon(cluster, options, osdUuid), makeOsd(base, osdUuid)]);
    start(options, 'osd.0');
    if (mgr) start(options, 'mgr.x');
    await cephServes(cluster, mgr);
    await all(pools.map(pool => makePool(cluster, pool)));
    return cluster;
  } catch (error) {
    const logs = logTail(['mon.a', 'osd.0'].map(daemon => join(base, 'log', `${daemon}.log`)));
    await stopCeph(base);
    halt.signal.throwIfAborted(); // then it is nobody's fault
    throw new Error(`Ceph cluster ${name} at ${base} did not start: ${(error as Error).message}\n${logs}`, {
      cause: error,
    });
  }
}

/** Ends every daemon recorded under the directory and removes it. Whatever state it is in, also none. */
export async function stopCeph(base: string, {keep = false} = {}): Promise<void> {
  // the OSD first: it tells the monitor that it goes, and waits 5 s for a monitor that went before it
  await Promise.all(
    ['osd.0', 'mgr.x'].flatMap(name => recordedDaemon(base, name) ?? []).map(found => stopDaemon(found)),
  );
  await stopDaemons(base);
  if (!keep) rmSync(base, {recursive: true, force: true, maxRetries: 3});
}

async function startMon(cluster: Cluster, options: CephOptions, osdUuid: string): Promise<void> {
  const {base, port} = options;
  const monmap = join(base, 'mon', 'monmap');
  const address = `[v2:127.0.0.1:${port},v1:127.0.0.1:${port + 1}]`;
  await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', cluster.fsid, monmap]);
  await run('ceph-mon', [
    '-c',
    confFile(base),
    '--mkfs',
    '-i',
    'a',
    '--monmap',
    monmap,
    '--keyring',
    seedKeyring(base),
  ]);
  const registerOsd = ['-c', confFile(base), '--connect-timeout', '30', 'osd', 'new', osdUuid, '0'];
  await whileAlive(start(options, 'mon.a'), signal => run('ceph', registerOsd, {signal})); // the client waits for the monitor
}

async function makeOsd(base: string, uuid: string): Promise<void> {
  await run('ceph-osd', ['-c', confFile(base), '-i', '0', '--mkfs', '--osd-uuid', uuid, '--no-mon-config']);
}

function start({base, tied = false}: CephOptions, name: CephDaemon): Daemon {
  const [type, id] = name.split('.') as [string, string];
  const logs = [join(base, 'log', `${name}.log`)];
  return startDaemon(base, name, [`ceph-${type}`, '-c', confFile(base), '-f', '-i', id], {logs, tied});
}

/**
 * The OSD is asked on its own socket: the map says `up` also of one that has just been killed, and the manager and the
 * monitor are there when a client gets an answer.
 */
async function cephServes({base, ceph}: Cluster, mgr = false): Promise<void> {
  const osdSocket = join(base, 'run', 'osd.0.asok');
  const serves = async () => {
    const {state} = JSON.parse(await run('ceph', ['--admin-daemon', osdSocket, 'status'], {timeoutMs: 10_000}));
    if (state !== 'active') throw new Error(`the OSD is ${state}`);
    const {available} = mgr
      ? JSON.parse(await ceph('--connect-timeout', '10', 'mgr', 'dump', '--format', 'json'))
      : {available: true};
    if (!available) throw new Error('the manager is not available');
  };
  const daemons = recordedDaemons(base);
  await waitFor('Ceph', serves, {
    stop: () => daemons.map(obituary).find(reason => reason !== undefined),
  });
}

function running(files: {name: string; fsid: string; base: string}, options: CephOptions): RunningCeph {
  const cluster = clusterAt(files);
  const daemon = (name: CephDaemon) => {
    const found = recordedDaemon(files.base, name);
    if (!found) throw new Error(`${files.name} has no ${name}`);
    return found;
  };
  const stop = () => stopCeph(files.base);
  const control = {
    signal: (name: CephDaemon, signal: NodeJS.Signals) => signalDaemon(daemon(name), signal),
    async kill(name: CephDaemon, signal: NodeJS.Signals = 'SIGKILL') {
      signalDaemon(daemon(name), signal);
      if (!(await ended(daemon(name), 30_000))) throw new Error(`${name} did not end within 30 s of ${signal}`);
    },
    async restart(name: CephDaemon) {
      start(options, name);
      await cephServes(cluster, options.mgr);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
  return Object.defineProperties(cluster, Object.getOwnPropertyDescriptors(control)) as RunningCeph;
}
