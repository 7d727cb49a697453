/** A running Ceph cluster as tests use it, whoever started it: Ceph's own tools, fresh pools, fresh users. */
import {randomBytes} from 'node:crypto';
import {confFile, keyringFile, writeKeyring} from './ceph-files.ts';
import {recordedDaemon} from './daemon.ts';
import {run} from './run.ts';

export type Cluster = {
  name: string;
  fsid: string;
  /** Its ceph.conf; the keyring of each user lies beside it. */
  conf: string;
  /** The directory of its files: log/, run/ (admin sockets), ceph.conf. */
  base: string;
  /** Process ids of the daemons as they are now. */
  readonly pids: {mon: number; osd: number[]};
  /** `ceph ARGS` as client.admin; resolves stdout. */
  ceph(...args: string[]): Promise<string>;
  /** `rbd ARGS` as client.admin; resolves stdout. */
  rbd(...args: string[]): Promise<string>;
  /** A fresh pool with a unique name, ready for RBD. */
  createPool(prefix?: string): Promise<string>;
  removePool(pool: string): Promise<void>;
  /** A user with these rights (`name` without `client.`); its keyring is where ceph.conf says. Again with others: the rights change, not the key. */
  addUser(name: string, caps: {mon: string; osd: string}): Promise<{user: string; keyring: string}>;
};

export type ClusterFiles = {name: string; fsid: string; base: string};

export function clusterAt({name, fsid, base}: ClusterFiles): Cluster {
  const conf = confFile(base);
  const ceph = (...args: string[]) => run('ceph', ['-c', conf, ...args]);
  const rbd = (...args: string[]) => run('rbd', ['-c', conf, ...args]);
  const pid = (daemon: string) => recordedDaemon(base, daemon)?.pid ?? 0;

  return {
    name,
    fsid,
    conf,
    base,
    ceph,
    rbd,
    get pids() {
      return {mon: pid('mon.a'), osd: [pid('osd.0')]};
    },
    async createPool(prefix = 'test') {
      const pool = `${prefix}-${randomBytes(4).toString('hex')}`;
      await makePool({ceph, rbd}, pool);
      return pool;
    },
    async removePool(pool) {
      await ceph('osd', 'pool', 'rm', pool, pool, '--yes-i-really-really-mean-it');
    },
    async addUser(user, {mon, osd}) {
      const keyring = keyringFile(base, user);
      const rights = ['mon', mon, 'osd', osd];
      await ceph('auth', 'get-or-create', `client.${user}`);
      await ceph('auth', 'caps', `client.${user}`, ...rights);
      writeKeyring(keyring, await ceph('auth', 'get', `client.${user}`));
      return {user, keyring};
    },
  };
}

/** Makes a pool for RBD: `rbd pool init` comes back when its placement groups serve. */
export async function makePool({ceph, rbd}: Pick<Cluster, 'ceph' | 'rbd'>, pool: string): Promise<void> {
  await ceph('osd', 'pool', 'create', pool, '4');
  await rbd('pool', 'init', pool);
}
