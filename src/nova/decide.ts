/** What to do about this host's compute node: a pure function of what the cell's database and the host say. */
import type {ComputeNode} from './objects.ts';

/** Nova's service version of 2023.1, the first release that knows its node by the compute_id file. */
export const nodeIdentityVersion = 65;

/** How the name of the hypervisor is known: told by the configuration, by libvirt, or guessed from the host's own name. */
export type NodeName = {name: string; by: 'configuration' | 'libvirt' | 'host'};

/** What the host says of itself. */
export type HostSays = {
  /** `[DEFAULT] host`. */
  host: string;
  node: NodeName;
  /** What the compute_id files say; undefined without any. */
  computeId: string | undefined;
};

/** What the cell's database says of it. */
export type CellSays = {
  /** The version of this host's nova-compute service; undefined: it has never started here. */
  computeService: number | undefined;
  /** Compute nodes of this host. */
  ofHost: readonly ComputeNode[];
  /** The compute node with the uuid of compute_id, deleted or not. */
  ofUuid: ComputeNode | undefined;
  /** The compute node with this node name, of any host. */
  ofName: ComputeNode | undefined;
};

export type RecordPlan =
  /** `writeId`: compute_id is to be written with the record's uuid. `warning`: what will go wrong later, and how to mend it. */
  | {act: 'adopt'; node: ComputeNode; writeId: boolean; warning?: string}
  /** Without a uuid one is to be made up, and written to compute_id first. */
  | {act: 'create'; uuid: string | undefined}
  /** Somebody else is about to make it. */
  | {act: 'wait'; why: string}
  | {act: 'refuse'; why: string; mend: string};

/**
 * Adopt the record, create it, wait, or refuse. A record is never created over a living one: Nova would overwrite it without
 * a word. No second one is made for a host, nor a second host for a hypervisor.
 */
export function planRecord(says: HostSays, cell: CellSays): RecordPlan {
  const stranger = foreignIdentity(says, cell.ofUuid);
  if (stranger !== undefined) return stranger;
  const {host, node} = says;
  const named = cell.ofHost.find(one => one.hypervisor_hostname === node.name);
  const own = named ?? living(cell.ofUuid) ?? onlyNode(node, cell);
  if (own !== undefined) return adopt(own, says, cell.computeService);
  const [other] = cell.ofHost;
  if (other !== undefined) return renamed(says, other);
  const namesake = living(cell.ofName);
  if (namesake !== undefined) {
    return {
      act: 'refuse',
      why: `node ${node.name} is a compute node of host ${namesake.host}, not of ${host}`,
      mend: `set [DEFAULT] host back to ${namesake.host}, or delete that host's compute service first`,
    };
  }
  if (cell.computeService !== undefined) {
    return {
      act: 'wait',
      why: `nova-compute has a service on ${host} and no compute node yet: it makes the node itself when it starts`,
    };
  }
  return {act: 'create', uuid: says.computeId};
}

/** The file's uuid belongs to a living record that is not this host's, or has another node name. */
function foreignIdentity({host, node}: HostSays, ofUuid: ComputeNode | undefined): RecordPlan | undefined {
  const owner = living(ofUuid);
  if (owner === undefined) return undefined;
  if (owner.host !== host) {
    return {
      act: 'refuse',
      why: `compute_id says ${owner.uuid}, which is the compute node of host ${owner.host}`,
      mend: `if this host was copied from ${owner.host}, remove its compute_id; if it was renamed, set [DEFAULT] host back to ${owner.host}`,
    };
  }
  if (owner.hypervisor_hostname === node.name || node.by === 'host') return undefined;
  return {
    act: 'refuse',
    why: `compute_id says ${owner.uuid}, which is node ${owner.hypervisor_hostname}; this host's hypervisor is ${node.name}`,
    mend: `rename the host back to ${owner.hypervisor_hostname}: Nova does not support renaming a hypervisor`,
  };
}

const living = (node: ComputeNode | undefined): ComputeNode | undefined => (node?.deleted ? undefined : node);

/** Nova knows the name better than a guess does. */
const onlyNode = ({by}: NodeName, {ofHost}: CellSays): ComputeNode | undefined =>
  by === 'host' && ofHost.length === 1 ? ofHost[0] : undefined;

function adopt(node: ComputeNode, {host, computeId}: HostSays, service: number | undefined): RecordPlan {
  const old = service !== undefined && service < nodeIdentityVersion;
  if (computeId === undefined) {
    // An older nova-compute writes the file itself when it is upgraded; one that has lost it must be told by its operator.
    if (service === undefined) return {act: 'adopt', node, writeId: true};
    if (old) return {act: 'adopt', node, writeId: false};
    const warning = `nova-compute of ${host} will not start again without its compute_id file: write ${node.uuid} into it`;
    return {act: 'adopt', node, writeId: false, warning};
  }
  if (computeId === node.uuid) return {act: 'adopt', node, writeId: false};
  const why = `compute_id says ${computeId}, the compute node of host ${host} is ${node.uuid}`;
  const mend = `write ${node.uuid} into compute_id`;
  // Up to Zed nobody reads the file; from the upgrade on it would be fatal.
  return old
    ? {act: 'adopt', node, writeId: false, warning: `${why}: ${mend} before Nova is upgraded`}
    : {act: 'refuse', why, mend};
}

function renamed({host, node}: HostSays, other: ComputeNode): RecordPlan {
  return {
    act: 'refuse',
    why: `host ${host} has the compute node ${other.hypervisor_hostname}; its hypervisor is ${node.name} now`,
    mend: `set [cell] hypervisor_hostname = ${other.hypervisor_hostname} if that is what libvirt calls it; if it was renamed, delete its compute service first`,
  };
}
