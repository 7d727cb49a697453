/** The files a small Ceph cluster is made from: its configuration and its keyrings. */
import {randomBytes} from 'node:crypto';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

export type Caps = {mon: string; osd: string; mgr?: string};

export type CephFiles = {
  base: string;
  port: number;
  fsid: string;
  objectstore: 'memstore' | 'bluestore';
  users: Record<string, Caps>;
};

export const confFile = (base: string) => join(base, 'ceph.conf');
export const keyringFile = (base: string, user: string) => join(base, `ceph.client.${user}.keyring`);
/** What the monitor is made with: every key of the cluster, with its rights. */
export const seedKeyring = (base: string) => join(base, 'mon', 'seed.keyring');

/** Writes them all. The seed keyring makes the users exist from the monitor's first second, with no `ceph auth` calls. */
export function writeCephFiles(files: CephFiles): void {
  const {base, users} = files;
  for (const dir of ['mon', 'osd.0', 'mgr', 'run', 'log']) mkdirSync(join(base, dir), {recursive: true, mode: 0o700});
  writeFileSync(confFile(base), conf(files));
  const osd = keyringEntry('osd.0', {mon: 'allow profile osd', osd: 'allow *', mgr: 'allow profile osd'});
  const mgr = keyringEntry('mgr.x', {mon: 'allow profile mgr', osd: 'allow *', mgr: 'allow *'});
  const admin = {mon: 'allow *', osd: 'allow *', mgr: 'allow *'};
  const clients = Object.entries({admin, ...users}).map(
    ([user, caps]) => [user, keyringEntry(`client.${user}`, caps)] as const,
  );
  writeKeyring(join(base, 'osd.0', 'keyring'), osd);
  writeKeyring(join(base, 'mgr', 'keyring'), mgr);
  for (const [user, entry] of clients) writeKeyring(keyringFile(base, user), entry);
  const mon = keyringEntry('mon.', {mon: 'allow *'});
  writeKeyring(seedKeyring(base), [mon, osd, mgr, ...clients.map(([, entry]) => entry)].join(''));
}

export function writeKeyring(file: string, text: string): void {
  writeFileSync(file, text, {mode: 0o600});
}

function keyringEntry(entity: string, caps: Partial<Caps>): string {
  const lines = Object.entries(caps).map(([service, rights]) => `\tcaps ${service} = "${rights}"\n`);
  return `[${entity}]\n\tkey = ${newKey()}\n${lines.join('')}`;
}

/** A cephx key: type 1 (AES), the time it was made (s, ns), the length, 16 random bytes; as `ceph-authtool --gen-key`. */
function newKey(): string {
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  head.writeUInt16LE(16, 10);
  return Buffer.concat([head, randomBytes(16)]).toString('base64');
}

function conf({base, port, fsid, objectstore}: CephFiles): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${port},v1:127.0.0.1:${port + 1}]
keyring = ${base}/$cluster.$name.keyring
public network = 127.0.0.0/8
ms bind retry delay = 1
ms bind port min = ${port + 2}
ms bind port max = ${port + 39}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
# one OSD is the whole cluster
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon allow pool delete = true
# small pools, and room for one per test
osd pool default pg autoscale mode = off
osd pool default pg num = 8
osd pool default pgp num = 8
mon max pg per osd = 100000
# a change of the maps is proposed at once, not batched for a second
paxos propose interval = 0.02
paxos min wait = 0.01
# a machine that is nearly full elsewhere is no reason to stop here
mon data avail warn = 1
mon data avail crit = 0
run dir = ${base}/run
[mon]
mon data = ${base}/mon/data
keyring = ${base}/mon/data/keyring
${daemonFiles(base)}
[mgr]
mgr data = ${base}/mgr
keyring = ${base}/mgr/keyring
mgr initial modules =
${daemonFiles(base)}
[osd]
osd data = ${base}/osd.0
keyring = ${base}/osd.0/keyring
osd objectstore = ${objectstore}
memstore device bytes = 6442450944
bluestore block size = 10737418240
osd memory target = 939524096
osd memory target autotune = false
osd max pg per osd hard ratio = 100
${daemonFiles(base)}
`;
}

const daemonFiles = (base: string) => `log file = ${base}/log/$name.log
admin socket = ${base}/run/$name.asok
pid file = ${base}/run/$name.pid`;
