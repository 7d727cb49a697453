/** What a hypervisor of the lab's cell has in /etc: a nova.conf, a cellar.conf; and the shell exports for a person. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {confFile} from './ceph-files.ts';
import type {LabState} from './state.ts';

/** Fixed, as a deployment's is: libvirt knows client.nova's key by it. */
export const secretUuid = '5a5a5a5a-0000-4000-8000-00000000ce11';

export function writeAgentFiles(state: LabState): void {
  mkdirSync(join(state.base, 'nova', 'instances'), {recursive: true, mode: 0o700});
  writeFileSync(state.novaConf, novaConf(state), {mode: 0o600});
  writeFileSync(state.cellarConf, cellarConf(state), {mode: 0o600});
  writeFileSync(join(state.base, 'env'), shellExports(state), {mode: 0o600});
}

function novaConf({base, cell, keystoneUrl, password}: LabState): string {
  return `[DEFAULT]
host = lab-compute-1
my_ip = 127.0.0.1
state_path = ${base}/nova
instances_path = $state_path/instances
[libvirt]
images_type = rbd
images_rbd_pool = vms
images_rbd_ceph_conf = ${confFile(cell.base)}
rbd_user = nova
rbd_secret_uuid = ${secretUuid}
[glance]
service_type = image
valid_interfaces = internal
region_name = RegionOne
[service_user]
send_service_user_token = true
auth_type = password
auth_url = ${keystoneUrl}
username = cellar
password = ${password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
`;
}

/** The lease is short, so that a test need not wait long for a dead filler's. */
function cellarConf({base, socket}: LabState): string {
  return `[image_store]
pool = cellar
rbd_user = cellar
fill_lease = 5
spool_dir = ${base}/spool
[agent]
socket = ${socket}
`;
}

/** For `eval "$(npm run --silent lab -- env)"`: OpenStack's, Ceph's and cellar's own clients then talk to the lab. */
export function shellExports(state: LabState): string {
  const values = {
    OS_AUTH_URL: state.keystoneUrl,
    OS_USERNAME: 'admin',
    OS_PASSWORD: state.password,
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_IDENTITY_API_VERSION: '3',
    OS_REGION_NAME: 'RegionOne',
    CEPH_CONF: confFile(state.cell.base),
    GLANCE_CEPH_CONF: confFile(state.glance.base),
    NOVA_CONF: state.novaConf,
    CELLAR_CONF: state.cellarConf,
    CELLAR_LAB: join(state.base, 'state.json'),
  };
  return Object.entries(values)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}
