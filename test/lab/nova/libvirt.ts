/** A hypervisor of the lab: a real libvirtd that sees its own configuration and hostname, and takes its guests along. */
import {randomUUID} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createConnection} from 'node:net';
import {join} from 'node:path';
import {keyringFile} from '../ceph-files.ts';
import {obituary, recordedDaemon, startDaemon, stopDaemon} from '../daemon.ts';
import {run, waitFor} from '../run.ts';
import {inNamespace} from './namespace.ts';

export type LibvirtOptions = {
  /** The directory of the host. */
  dir: string;
  /** The name libvirt gives for the hypervisor. */
  hostname: string;
  /** With the key of this cephx user of the cluster: base directory and name. */
  secret: {uuid: string; cephBase: string; user: string};
  tied: boolean;
};

/** Where libvirt listens; the machine's own libvirt, if it has one, knows nothing of it. */
export const libvirtUri = (dir: string) => `qemu+unix:///system?socket=${socket(dir)}`;
const socket = (dir: string) => join(dir, 'sys', 'libvirt-sock');

export async function startLibvirt({dir, hostname, secret, tied}: LibvirtOptions): Promise<void> {
  const at = (name: string) => join(dir, name);
  for (const name of ['libvirt/etc/secrets', 'libvirt/lib', 'libvirt/log', 'libvirt/cache', 'sys'])
    mkdirSync(at(name), {recursive: true, mode: 0o700});
  writeFileSync(at('libvirt/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n`);
  writeFileSync(at('libvirt/etc/libvirtd.conf'), libvirtdConf);
  writeFileSync(at('libvirt/etc/qemu.conf'), qemuConf);
  writeSecret(at('libvirt/etc/secrets'), secret);
  const mounts = {
    '/etc/libvirt': at('libvirt/etc'),
    '/var/lib/libvirt': at('libvirt/lib'),
    '/var/log/libvirt': at('libvirt/log'),
    '/var/cache/libvirt': at('libvirt/cache'),
    '/run': at('sys'),
    '/etc/hosts': at('libvirt/hosts'),
  };
  const command = inNamespace({mounts, hostname, command: ['libvirtd']});
  const daemon = startDaemon(dir, 'libvirtd', command, {tied, namespace: true});
  await waitFor(`libvirt of ${hostname}`, () => connect(socket(dir)), {stop: () => obituary(daemon)});
}

/** Ends it with all of its guests. */
export async function stopLibvirt(dir: string): Promise<void> {
  const daemon = recordedDaemon(dir, 'libvirtd');
  if (daemon) await stopDaemon(daemon);
}

/** `virsh ARGS` on the hypervisor whose directory this is. */
export const virsh = (dir: string, ...args: string[]) =>
  run('virsh', ['--quiet', '--connect', libvirtUri(dir), ...args]);

const libvirtdConf = `unix_sock_dir = "/run"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "${randomUUID()}"
`;

/** QEMU as root, in files as they are, without cgroups, namespaces and log daemons: what works in a container too. */
const qemuConf = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
`;

/** A secret as libvirt itself keeps it. */
function writeSecret(dir: string, {uuid, cephBase, user}: LibvirtOptions['secret']): void {
  const key = /key = (\S+)/.exec(readFileSync(keyringFile(cephBase, user), 'utf8'))?.[1];
  if (key === undefined) throw new Error(`${keyringFile(cephBase, user)} has no key`);
  const usage = `<usage type='ceph'><name>client.${user}</name></usage>`;
  writeFileSync(
    join(dir, `${uuid}.xml`),
    `<secret ephemeral='no' private='no'><uuid>${uuid}</uuid>${usage}</secret>\n`,
  );
  writeFileSync(join(dir, `${uuid}.base64`), key, {mode: 0o600});
}

function connect(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(path, () => {
      connection.destroy();
      resolve();
    });
    connection.once('error', reject);
  });
}
