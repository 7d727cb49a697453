/** nova.conf of a compute. Stock and behind a facade differ in `[glance] endpoint_override` alone. */
import {join} from 'node:path';
import {secretUuid} from '../agent-files.ts';
import {confFile} from '../ceph-files.ts';
import {libvirtUri} from './libvirt.ts';
import {type ConfOptions, client} from './nova-conf.ts';
import {type CellName, cellOf, hostDir, type NovaState} from './state.ts';

export type ComputeOptions = {
  /** `[DEFAULT] host`, and the name of its hypervisor. */
  host: string;
  /** libvirt with KVM (or QEMU), disks in the cell's pool `vms`; or Nova's fake driver, which makes no disks. */
  driver?: 'libvirt' | 'fake';
  cell?: CellName;
  /** What it takes for Glance; without it, the catalog's. */
  glanceEndpoint?: string | undefined;
  /** Its user of the cell's cluster. */
  cephUser?: string;
  /** Further configuration, as text; what it says wins. */
  extra?: string;
};

export type ComputeFiles = {dir: string; conf: string; log: string; statePath: string; instancesPath: string};

export function computeFiles(nova: Pick<NovaState, 'dir'>, host: string): ComputeFiles {
  const dir = hostDir(nova, host);
  const statePath = join(dir, 'nova');
  return {
    dir,
    conf: join(dir, 'nova.conf'),
    log: join(dir, 'log', 'nova-compute.log'),
    statePath,
    instancesPath: join(statePath, 'instances'),
  };
}

export function computeConf(nova: NovaState, base: string, options: ComputeOptions, access: ConfOptions): string {
  const {host, driver = 'libvirt', cell = 'cell1', glanceEndpoint, extra = ''} = options;
  const {statePath, conf} = computeFiles(nova, host);
  const {transportUrl, cluster} = cellOf(nova, cell);
  return `[DEFAULT]
host = ${host}
my_ip = 127.0.0.1
debug = true
state_path = ${statePath}
instances_path = $state_path/instances
transport_url = ${transportUrl}
compute_driver = ${driver === 'fake' ? 'fake.FakeDriver' : 'libvirt.LibvirtDriver'}
report_interval = 5
# guests without an operating system do not shut down when they are asked to
shutdown_timeout = 1
reserved_host_memory_mb = 0
cpu_allocation_ratio = 100
ram_allocation_ratio = 10
disk_allocation_ratio = 100
[vnc]
enabled = false
[oslo_concurrency]
lock_path = $state_path/lock
[nova_sys_admin]
helper_command = privsep-helper --config-file ${conf}
${driver === 'fake' ? '' : libvirt(nova, options, join(base, cluster))}\
${['placement', 'neutron'].map(section => client(section, access)).join('')}\
[glance]
region_name = RegionOne
valid_interfaces = internal
${glanceEndpoint === undefined ? '' : `endpoint_override = ${glanceEndpoint}\n`}\
${client('service_user', access, 'cellar')}\
send_service_user_token = true
${extra}
`;
}

function libvirt(nova: NovaState, {host, cephUser = 'nova'}: ComputeOptions, cephBase: string): string {
  return `[libvirt]
connection_uri = ${libvirtUri(hostDir(nova, host))}
virt_type = ${nova.virtType}
cpu_mode = none
images_type = rbd
images_rbd_pool = vms
images_rbd_ceph_conf = ${confFile(cephBase)}
rbd_user = ${cephUser}
rbd_secret_uuid = ${secretUuid}
inject_partition = -2
`;
}
