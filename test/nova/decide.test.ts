import test from 'ava';
import {type CellSays, type HostSays, nodeIdentityVersion, planRecord, type RecordPlan} from '../../src/nova/decide.ts';
import type {ComputeNode} from '../../src/nova/objects.ts';

const uuidA = 'aaaaaaaa-0000-4000-8000-000000000001';
const uuidB = 'bbbbbbbb-0000-4000-8000-000000000002';

const node = (fields: Partial<ComputeNode> = {}): ComputeNode => ({
  id: 7,
  uuid: uuidA,
  host: 'compute-1',
  hypervisor_hostname: 'compute-1.example',
  mapped: 0,
  deleted: false,
  ...fields,
});

const host = (fields: Partial<HostSays> = {}): HostSays => ({
  host: 'compute-1',
  node: {name: 'compute-1.example', by: 'libvirt'},
  computeId: undefined,
  ...fields,
});

const cell = (fields: Partial<CellSays> = {}): CellSays => ({
  computeService: undefined,
  ofHost: [],
  ofUuid: undefined,
  ofName: undefined,
  ...fields,
});

const zed = 64;
const upgraded = 66;

type Row = {
  title: string;
  says?: Partial<HostSays>;
  cell?: Partial<CellSays>;
  plan: Partial<RecordPlan>;
  mentions?: RegExp;
};

const table: Row[] = [
  {title: 'a new host without compute_id: created, with a uuid of its own', plan: {act: 'create', uuid: undefined}},
  {
    title: 'a new host with a compute_id: created with that uuid',
    says: {computeId: uuidA},
    plan: {act: 'create', uuid: uuidA},
  },
  {
    title: 'the uuid of a deleted record of this host: restored under the same uuid',
    says: {computeId: uuidA},
    cell: {ofUuid: node({deleted: true})},
    plan: {act: 'create', uuid: uuidA},
  },
  {
    title: 'the uuid of a deleted record of another host: it is free again',
    says: {computeId: uuidA},
    cell: {ofUuid: node({deleted: true, host: 'compute-9'})},
    plan: {act: 'create', uuid: uuidA},
  },
  {
    title: 'the uuid of a living record of another host: never overwritten',
    says: {computeId: uuidA},
    cell: {ofUuid: node({host: 'compute-9'})},
    plan: {act: 'refuse'},
    mentions: /compute node of host compute-9.*remove its compute_id.*host back to compute-9/,
  },
  {
    title: 'the same, though this host has a record of its own',
    says: {computeId: uuidB},
    cell: {ofHost: [node()], ofUuid: node({uuid: uuidB, host: 'compute-9'}), computeService: upgraded},
    plan: {act: 'refuse'},
    mentions: /compute-9/,
  },
  {
    title: 'the uuid of a living record of this host under another node name: the hypervisor was renamed',
    says: {computeId: uuidA},
    cell: {ofHost: [node({hypervisor_hostname: 'old.example'})], ofUuid: node({hypervisor_hostname: 'old.example'})},
    plan: {act: 'refuse'},
    mentions: /is node old\.example; this host's hypervisor is compute-1\.example.*back to old\.example/,
  },
  {
    title: 'the same, where our name is a guess: the record is believed',
    says: {computeId: uuidA, node: {name: 'compute-1', by: 'host'}},
    cell: {ofHost: [node()], ofUuid: node()},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'a record of host and node, no nova-compute yet: adopted, and its uuid kept',
    cell: {ofHost: [node()], ofName: node()},
    plan: {act: 'adopt', node: node(), writeId: true},
  },
  {
    title: 'a record of host and node and the same compute_id: adopted',
    says: {computeId: uuidA},
    cell: {ofHost: [node()], ofUuid: node(), ofName: node()},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'a nova-compute of Zed: adopted; compute_id is for its upgrade to write',
    cell: {ofHost: [node()], computeService: zed},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'the last version without node identity is as old as Zed',
    cell: {ofHost: [node()], computeService: nodeIdentityVersion - 1},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'a nova-compute of 2023.1 or later that lost its compute_id: adopted, not written, and told',
    cell: {ofHost: [node()], computeService: nodeIdentityVersion},
    plan: {act: 'adopt', node: node(), writeId: false},
    mentions: new RegExp(`will not start again.*write ${uuidA}`),
  },
  {
    title: 'another compute_id than the record has, under Zed: adopted, and told before the upgrade',
    says: {computeId: uuidB},
    cell: {ofHost: [node()], computeService: zed},
    plan: {act: 'adopt', node: node(), writeId: false},
    mentions: new RegExp(`${uuidB}.*write ${uuidA} into compute_id before Nova is upgraded`),
  },
  {
    title: 'another compute_id than the record has, under 2023.1: refused',
    says: {computeId: uuidB},
    cell: {ofHost: [node()], computeService: upgraded},
    plan: {act: 'refuse'},
    mentions: new RegExp(`write ${uuidA} into compute_id`),
  },
  {
    title: 'another compute_id than the record has, before any nova-compute: refused',
    says: {computeId: uuidB},
    cell: {ofHost: [node()]},
    plan: {act: 'refuse'},
  },
  {
    title: 'the host has a node of another name: no second one is made',
    cell: {ofHost: [node({hypervisor_hostname: 'old.example'})], computeService: zed},
    plan: {act: 'refuse'},
    mentions: /compute node old\.example.*hypervisor_hostname = old\.example/,
  },
  {
    title: 'the same, where our name is a guess: the only record is adopted',
    says: {node: {name: 'compute-1', by: 'host'}},
    cell: {ofHost: [node()], computeService: zed},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'two nodes of other names, and our name is a guess: refused',
    says: {node: {name: 'compute-1', by: 'host'}},
    cell: {ofHost: [node({hypervisor_hostname: 'a'}), node({id: 8, uuid: uuidB, hypervisor_hostname: 'b'})]},
    plan: {act: 'refuse'},
  },
  {
    title: 'one of several nodes is ours: adopted',
    cell: {ofHost: [node({id: 8, uuid: uuidB, hypervisor_hostname: 'b'}), node()], computeService: zed},
    plan: {act: 'adopt', node: node(), writeId: false},
  },
  {
    title: 'the node belongs to another host: the host was renamed',
    cell: {ofName: node({host: 'old-host'})},
    plan: {act: 'refuse'},
    mentions: /node compute-1\.example is a compute node of host old-host.*host back to old-host/,
  },
  {
    title: 'nova-compute has a service and no node yet: it is left to make it',
    cell: {computeService: zed},
    plan: {act: 'wait'},
    mentions: /makes the node itself/,
  },
];

for (const {title, says, cell: cellSays, plan, mentions} of table) {
  test(title, t => {
    const got = planRecord(host(says), cell(cellSays));
    t.like(got, plan);
    const words = [...('why' in got ? [got.why] : []), ...('mend' in got ? [got.mend] : [])];
    if (got.act === 'adopt' && got.warning !== undefined) words.push(got.warning);
    if (mentions === undefined) t.false(got.act === 'adopt' && got.warning !== undefined);
    else t.regex(words.join('; '), mentions);
  });
}

test('whatever both sides say: a living record is never created over, nor a second node made for a host', t => {
  const uuids = [undefined, uuidA, uuidB];
  const owners = [
    undefined,
    node(),
    node({host: 'compute-9'}),
    node({deleted: true}),
    node({hypervisor_hostname: 'x'}),
  ];
  const lists = [[], [node()], [node({uuid: uuidB})], [node({hypervisor_hostname: 'x'})]];
  const by = ['configuration', 'libvirt', 'host'] as const;
  let plans = 0;
  for (const computeId of uuids)
    for (const ofUuid of computeId === undefined ? [undefined] : owners.map(one => one && {...one, uuid: computeId}))
      for (const ofHost of lists)
        for (const ofName of owners)
          for (const computeService of [undefined, zed, upgraded])
            for (const how of by) {
              const plan = planRecord(
                host({computeId, node: {name: 'compute-1.example', by: how}}),
                cell({ofUuid, ofHost, ofName, computeService}),
              );
              plans += 1;
              if (plan.act === 'create') {
                t.true(ofUuid === undefined || ofUuid.deleted);
                t.deepEqual(ofHost, []);
                t.true(ofName === undefined || ofName.deleted);
                t.is(computeService, undefined);
              }
              if (plan.act === 'adopt') {
                t.is(plan.node.host, 'compute-1');
                if (plan.writeId) t.true(computeId === undefined && computeService === undefined);
                if (computeId !== undefined && (computeService ?? upgraded) >= nodeIdentityVersion)
                  t.is(plan.node.uuid, computeId);
              }
            }
  t.true(plans > 1000);
});
