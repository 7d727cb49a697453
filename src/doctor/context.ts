/** What the checks look at, and the connections they share. */
import type {CellarConfig} from '../config/load.ts';
import {asCellarError, type CellarError} from '../core/errors.ts';
import {readSettings, type Settings} from '../daemon/settings.ts';
import {Session} from '../keystone/session.ts';
import {loadBinding} from '../rbd/binding.ts';
import {type RbdCell, rbdCell} from '../rbd/cell.ts';
import type {ConnectOptions, NativeCluster} from '../rbd/native.ts';

export type Context = AsyncDisposable & {
  config: CellarConfig;
  socket: string;
  version: string;
  /** Fails with what is wrong with the configuration. */
  settings(): Settings;
  /** Connected as the agent is. */
  cluster(): Promise<NativeCluster>;
  /** Connected as Nova is. */
  novaCluster(): Promise<NativeCluster>;
  /** Nova's cephx user and configuration file. */
  nova: {user: string; conf: string};
  cell(): RbdCell;
  /** The agent's identity at Keystone; undefined where none is configured. */
  session(): Session | undefined;
};

export type ContextOptions = {config: CellarConfig; socket: string; version: string};

export function openContext({config, socket, version}: ContextOptions): Context {
  const ending: (() => Promise<void> | void)[] = [];
  const settings = once(() => readSettings(config));
  const connected = (options: () => ConnectOptions) =>
    once(async () => {
      const cluster = await loadBinding().connect(options());
      ending.push(() => cluster.close());
      return cluster;
    });
  const nova = {
    user: config.get('libvirt', 'rbd_user') ?? 'admin', // librados' own default, as Nova leaves it
    conf: config.get('libvirt', 'images_rbd_ceph_conf') || '/etc/ceph/ceph.conf',
  };
  return {
    config,
    socket,
    version,
    settings,
    cluster: connected(() => settings().ceph.connect),
    nova,
    // without the agent's keyring: Nova's key is where Ceph finds it, or is not to be read by us
    novaCluster: connected(() => ({...deadlines(settings().ceph.connect), ...nova})),
    cell: once(() => {
      const {connect, pool, cloneFormat, leaseDuration, busyTimeout} = settings().ceph;
      const cell = rbdCell({
        binding: loadBinding(),
        connect,
        pool,
        cloneFormat,
        leaseDuration,
        busyTimeout,
        holder: 'doctor',
      });
      ending.push(() => cell.close());
      return cell;
    }),
    session: once(() => {
      const {keystone} = settings();
      if (keystone === undefined) return undefined;
      const session = new Session(keystone.auth, {...keystone.session, retries: 0});
      ending.push(() => session.close());
      return session;
    }),
    async [Symbol.asyncDispose]() {
      await Promise.all(ending.map(end => end()));
    },
  };
}

const deadlines = ({clientMountTimeoutMs, osdOpTimeoutMs, monOpTimeoutMs}: ConnectOptions) => ({
  clientMountTimeoutMs,
  osdOpTimeoutMs,
  monOpTimeoutMs,
});

/** Once asked, always the same answer, be it an error. */
function once<V>(make: () => V): () => V {
  let made: {value: V} | {error: CellarError} | undefined;
  return () => {
    if (made === undefined) {
      try {
        made = {value: make()};
      } catch (error) {
        made = {error: asCellarError(error)};
      }
    }
    if ('error' in made) throw made.error;
    return made.value;
  };
}
