/** What this host has: the inventory of its compute node, until nova-compute writes its own over it. */
import {isIP} from 'node:net';
import {totalmem} from 'node:os';
import {asCellarError} from '../core/errors.ts';
import {architecture, qemuVersion} from './hypervisor.ts';
import {hasKvm, processors} from './machine.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** Columns of `compute_nodes`, with Nova's names and units. Those that may not be null are all here. */
export type Inventory = {
  vcpus: number;
  memory_mb: number;
  local_gb: number;
  vcpus_used: number;
  memory_mb_used: number;
  local_gb_used: number;
  hypervisor_type: 'QEMU';
  hypervisor_version: number;
  cpu_info: '';
  host_ip: string | null;
  /** What a guest may be here; an HVSpec each. */
  supported_hv_specs: {arch: string; hv_type: string; vm_mode: string}[];
};

export type FactSources = {
  /** `[DEFAULT] my_ip`. */
  myIp: string;
  /** Bytes used and available in the cell's cluster; undefined where nobody keeps count of them. */
  room(signal: AbortSignal): Promise<{used: number; available: number} | undefined>;
};

export type HostFacts = {
  inventory: Inventory;
  /** What could not be found out, and is 0 until nova-compute says it. */
  unknown: string[];
};

/** Never fails for a fact it cannot get: nova-compute corrects all of them when it starts. */
export async function hostFacts({myIp, room}: FactSources, signal: AbortSignal): Promise<HostFacts> {
  const arch = architecture();
  const [version, space] = await Promise.all([
    qemuVersion(arch, signal),
    room(signal).then(
      known => known ?? 'it has no ceph-mgr that counts it',
      (error: unknown) => asCellarError(error).message,
    ),
  ]);
  const unknown = [
    ...(version === 0 ? ['the version of QEMU: none is installed'] : []),
    ...(typeof space === 'string' ? [`the room in the cell's cluster: ${space}`] : []),
  ];
  signal.throwIfAborted();
  const inventory: Inventory = {
    vcpus: processors(),
    memory_mb: Math.floor(totalmem() / MiB),
    local_gb: typeof space === 'string' ? 0 : Math.floor((space.used + space.available) / GiB),
    vcpus_used: 0,
    memory_mb_used: 0,
    local_gb_used: typeof space === 'string' ? 0 : Math.ceil(space.used / GiB),
    hypervisor_type: 'QEMU',
    hypervisor_version: version,
    cpu_info: '', // what is in it is libvirt's to say; the column may not be null
    host_ip: isIP(myIp) === 0 ? null : myIp,
    supported_hv_specs: [{arch, hv_type: hasKvm() ? 'kvm' : 'qemu', vm_mode: 'hvm'}],
  };
  return {inventory, unknown};
}
