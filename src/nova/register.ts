/** The compute record of this host: found and adopted, or made. */
import {randomUUID} from 'node:crypto';
import {CellarError} from '../core/errors.ts';
import {isRemote} from '../oslo/remote-error.ts';
import type {CellDatabase, Ratios} from './cell-database.ts';
import {type IdentityPlace, readComputeId, takeBackComputeId, writeComputeId} from './compute-id.ts';
import {type HostSays, type NodeName, planRecord} from './decide.ts';
import type {HostFacts} from './host-facts.ts';
import type {ComputeNode} from './objects.ts';

/** nova-compute's own service. Its row is never made here: a nova-compute of 2023.1 or later would refuse to start over it. */
export const computeBinary = 'nova-compute';

export type Recorder = {
  cell: CellDatabase;
  /** `[DEFAULT] host`. */
  host: string;
  identity: IdentityPlace;
  ratios: Ratios;
  nodeName(signal: AbortSignal): Promise<NodeName>;
  facts(signal: AbortSignal): Promise<HostFacts>;
};

export type Recorded = {
  node: ComputeNode;
  outcome: 'adopted' | 'created';
  /** What will go wrong later, and how to mend it. */
  warning?: string;
  /** Facts that could not be found out, when it was created. */
  unknown: readonly string[];
};

/**
 * Finds this host's record or makes it, and reads it back. Idempotent. Fails with `conflict` where an operator must decide,
 * with nothing written; with `unavailable` while nova-compute is about to make the record itself.
 */
export async function register(recorder: Recorder, signal: AbortSignal): Promise<Recorded> {
  const {cell, host, identity} = recorder;
  const computeId = readComputeId(identity);
  const node = await recorder.nodeName(signal);
  const says: HostSays = {host, node, computeId};
  const plan = planRecord(says, {
    computeService: (await cell.service(host, computeBinary, signal))?.version,
    ofHost: await cell.nodesOfHost(host, signal),
    ofUuid: computeId === undefined ? undefined : await cell.nodeByUuid(computeId, signal),
    ofName: await cell.nodeByName(node.name, signal),
  });
  switch (plan.act) {
    case 'refuse':
      throw new CellarError('conflict', plan.why, {hint: plan.mend, object: host});
    case 'wait':
      throw new CellarError('unavailable', plan.why, {hint: 'start nova-compute', object: host});
    case 'adopt': {
      const {warning} = plan;
      if (plan.writeId) writeComputeId(plan.node.uuid, identity);
      return {node: plan.node, outcome: 'adopted', unknown: [], ...(warning !== undefined && {warning})};
    }
    case 'create':
      return create(recorder, node.name, plan.uuid, signal);
  }
}

/** The uuid is on disk before it is in the database: a crash between the two is carried on with the same one. */
async function create(
  recorder: Recorder,
  name: string,
  given: string | undefined,
  signal: AbortSignal,
): Promise<Recorded> {
  const {cell, host, identity, ratios} = recorder;
  const {inventory, unknown} = await recorder.facts(signal);
  const uuid = given ?? randomUUID();
  if (given === undefined) writeComputeId(uuid, identity);
  try {
    await cell.createNode({uuid, host, hypervisor_hostname: name, inventory, ratios}, signal);
  } catch (error) {
    if (!isRemote(error, 'DBDuplicateEntry', 'DuplicateRecord')) throw error;
    if (given === undefined) takeBackComputeId(uuid, identity);
    throw new CellarError('unavailable', `somebody else has just made a compute node for ${host}`, {cause: error});
  }
  const node = await cell.nodeByUuid(uuid, signal);
  if (node?.host === host && node.hypervisor_hostname === name && !node.deleted)
    return {node, outcome: 'created', unknown};
  throw new CellarError(
    'conflict',
    `compute node ${uuid} was made for ${host}, and is ${node?.host ?? 'nobody'}'s now`,
    {
      hint: `another host has the same compute_id: remove it on one of the two`,
      object: host,
    },
  );
}
