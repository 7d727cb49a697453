/** A real Glance on loopback, its images in RBD on a cluster of its own that no cell reaches. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {obituary, startDaemon} from './daemon.ts';
import {run, waitFor} from './run.ts';
import {useWriteAheadLog} from './sqlite.ts';

export type GlanceOptions = {
  base: string;
  port: number;
  password: string;
  keystoneUrl: string;
  /** ceph.conf of Glance's cluster, with a pool `images` and a user `glance`. */
  cephConf: string;
  tied?: boolean;
};

export const glanceUrl = (port: number) => `http://127.0.0.1:${port}`;
export const glanceLog = (base: string) => join(base, 'log', 'glance-api.log');

/** Makes its configuration and database. Needs neither Keystone nor Ceph. */
export async function makeGlance(options: GlanceOptions): Promise<void> {
  const dir = join(options.base, 'glance-api');
  for (const name of ['staging', 'lock']) mkdirSync(join(dir, name), {recursive: true, mode: 0o700});
  mkdirSync(join(options.base, 'log'), {recursive: true, mode: 0o700});
  writeFileSync(confFile(options.base), conf(options, dir));
  await run('glance-manage', ['--config-file', confFile(options.base), 'db_sync']);
  await useWriteAheadLog(databaseFile(options.base));
}

/** Starts it, with Keystone and Ceph up; resolves when it answers. */
export async function startGlance({base, port, tied = false}: GlanceOptions): Promise<void> {
  const command = ['glance-api', '--config-file', confFile(base)];
  const daemon = startDaemon(base, 'glance-api', command, {logs: [glanceLog(base)], tied});
  const answers = async () => {
    const response = await fetch(glanceUrl(port), {signal: AbortSignal.timeout(5000)});
    await response.arrayBuffer();
  };
  await waitFor('Glance', answers, {stop: () => obituary(daemon)});
}

const databaseFile = (base: string) => join(base, 'glance-api', 'glance.db');
const confFile = (base: string) => join(base, 'glance-api', 'glance-api.conf');

/** `show_multiple_locations` is what lets anyone see where an image lies; one process, so that one log has every request. */
function conf({base, port, password, keystoneUrl, cephConf}: GlanceOptions, dir: string): string {
  return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 0
log_file = ${glanceLog(base)}
debug = true
show_image_direct_url = true
show_multiple_locations = true
enabled_import_methods = [glance-direct]
node_staging_uri = file://${dir}/staging
[database]
connection = sqlite:///${databaseFile(base)}?timeout=30
[paste_deploy]
flavor = keystone
config_file = /etc/glance/glance-api-paste.ini
[oslo_concurrency]
lock_path = ${dir}/lock
[glance_store]
stores = rbd
default_store = rbd
rbd_store_ceph_conf = ${cephConf}
rbd_store_pool = images
rbd_store_user = glance
rbd_store_chunk_size = 8
rbd_thin_provisioning = true
[keystone_authtoken]
auth_type = password
auth_url = ${keystoneUrl}
www_authenticate_uri = ${keystoneUrl}
username = glance
password = ${password}
project_name = service
user_domain_name = Default
project_domain_name = Default
service_token_roles_required = true
`;
}
