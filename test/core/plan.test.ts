import test from 'ava';
import {choosePlan} from '../../src/core/plan.ts';
import {entry, facts, fsid, imageId, MiB, record} from './facts.ts';

const url = (pool: string, cluster = fsid) => `rbd://${cluster}/${pool}/${imageId}/snap`;
const clonable = {clonable: true, size: 8 * MiB} as const;
const at = (pool: string) => ({pool, image: imageId, snapshot: 'snap'});
const name = (pool: string) => `${pool}/${imageId}@snap`;
const whys = (plan: {roads: {why: string}[]}) => plan.roads.map(({why}) => why);

test('the first location that can be cloned wins, in the order of Glance, and the copy is not looked at', t => {
  const locations = ['a', 'b', 'c'].map((pool, number) => ({
    url: url(pool),
    state: number === 0 ? ({clonable: false, why: 'there is no pool a'} as const) : clonable,
  }));
  const plan = choosePlan(record(), facts({locations, cached: entry()}));
  t.is(plan.kind, 'clone');
  t.deepEqual(plan.kind === 'clone' && plan.parent, at('b'));
  t.deepEqual(plan.roads, [
    {road: 'location', taken: false, why: `${name('a')}: there is no pool a`},
    {road: 'location', taken: true, why: `${name('b')} is in this cell's cluster`},
  ]);
});

test('without a location the cached copy is cloned', t => {
  const plan = choosePlan(record(), facts({cached: entry()}));
  t.is(plan.kind, 'clone-cached');
  t.deepEqual(plan.kind === 'clone-cached' && plan.parent, {pool: 'cellar', image: entry().rbdImage, snapshot: 'snap'});
  t.deepEqual(whys(plan), ['Glance shows no location', `the index names cellar/${entry().rbdImage}@snap`]);
});

test('without a location and a copy, the copy is filled', t => {
  const plan = choosePlan(record(), facts());
  t.is(plan.kind, 'fill');
  t.deepEqual(whys(plan), ['Glance shows no location', 'the index has no entry', 'the cell has no copy yet']);
  t.deepEqual(
    plan.roads.map(({taken}) => taken),
    [false, false, true],
  );
});

const closed: [string, {url: string; state?: {clonable: false; why: string}}, string][] = [
  [
    'in another cluster',
    {url: url('images', 'other')},
    `${name('images')} is in the cluster other, this cell's is ${fsid}`,
  ],
  [
    'with the fsid in upper case',
    {url: url('images', fsid.toUpperCase())},
    `${name('images')} is in the cluster ${fsid.toUpperCase()}, this cell's is ${fsid}`,
  ],
  ['whose image is gone', {url: url('images'), state: {clonable: false, why: 'gone'}}, `${name('images')}: gone`],
  ['that nobody looked at', {url: url('images')}, `${name('images')} was not looked at`],
  ['that is no snapshot', {url: 'rbd://image'}, 'rbd://image: not an rbd snapshot'],
  ['with a blank part', {url: 'rbd://f//i/s'}, 'rbd://f//i/s: blank components'],
  ['in a file', {url: 'file:///var/lib/glance/x'}, 'file: location: not stored in rbd'],
  ['in Swift', {url: 'swift+https://user:secret@host/c/o'}, 'swift+https: location: not stored in rbd'],
  ['over HTTP', {url: 'http://user:secret@host/x?sig=secret'}, 'http: location: not stored in rbd'],
  ['without a scheme', {url: 'user:secret@host'}, 'unknown: location: not stored in rbd'],
  ['that is only a secret', {url: 'secret'}, 'unknown: location: not stored in rbd'],
];
for (const [what, location, why] of closed) {
  test(`a location ${what} is passed by, and its reason told without secrets`, t => {
    const plan = choosePlan(record(), facts({locations: [location]}));
    t.is(plan.kind, 'fill');
    t.is(plan.roads[0]?.why, why);
    t.false(JSON.stringify(plan).includes('secret'));
  });
}

test('a road that was walked in vain is not taken again, be it a location or the copy', t => {
  const tried = new Map([
    [name('images'), 'it went away'],
    [`cellar/${entry().rbdImage}@snap`, 'it went too'],
  ]);
  const plan = choosePlan(
    record(),
    facts({locations: [{url: url('images'), state: clonable}], cached: entry(), tried}),
  );
  t.is(plan.kind, 'fill');
  t.deepEqual(whys(plan).slice(0, 2), [
    `${name('images')}: it went away`,
    `cellar/${entry().rbdImage}@snap: it went too`,
  ]);
});

const never: [Parameters<typeof record>[0], string][] = [
  [{status: 'deactivated'}, 'its status is deactivated, not active'],
  [{status: 'queued', size: undefined}, 'its status is queued, not active'],
  [{diskFormat: 'ploop'}, 'its disk_format is ploop; served are raw, iso, qcow2, vmdk, vdi, vhd, vhdx'],
  [{diskFormat: 'ami'}, 'its disk_format is ami; served are raw, iso, qcow2, vmdk, vdi, vhd, vhdx'],
  [{diskFormat: 'RAW'}, 'its disk_format is RAW; served are raw, iso, qcow2, vmdk, vdi, vhd, vhdx'],
  [{diskFormat: undefined}, 'its disk_format is not set; served are raw, iso, qcow2, vmdk, vdi, vhd, vhdx'],
  [{containerFormat: 'ova'}, 'its container_format is ova, not bare'],
  [{size: undefined}, 'Glance says it has no data'],
  [{size: 0}, 'Glance says it has no data'],
];
for (const [changes, why] of never) {
  test(`an image with ${JSON.stringify(changes)} is refused, though a location and a copy are there: ${why}`, t => {
    const known = facts({locations: [{url: url('images'), state: clonable}], cached: entry()});
    t.deepEqual(choosePlan(record(changes), known), {kind: 'refuse', why, roads: []});
  });
}

test('an image whose id is in upper case is cloned where Glance keeps it, and is never cached', t => {
  const id = 'ABCDEF01-2222-3333-4444-555555555555';
  const why = `its id is not in lower case, and the cell's cache knows no others: ${id}`;
  const plan = choosePlan(record({id}), facts({cached: entry({image: id})}));
  t.is(plan.kind === 'refuse' && plan.why, why);
  const located = facts({locations: [{url: url('images'), state: clonable}]});
  t.is(choosePlan(record({id}), located).kind, 'clone');
});

const small = (bytes: number) =>
  `its disk is ${bytes} bytes, ${MiB} were asked for: a disk is never smaller than its image`;

test('a disk smaller than its image is refused, on every road', t => {
  const locations = [{url: url('images'), state: {clonable: true, size: 9 * MiB} as const}];
  const asked = {size: MiB};
  for (const [known, bytes] of [
    [facts({...asked, locations}), 9 * MiB],
    [facts({...asked, cached: entry({size: 7 * MiB})}), 7 * MiB],
    [facts(asked), 8 * MiB],
  ] as const) {
    const plan = choosePlan(record(), known);
    t.is(plan.kind, 'refuse');
    t.is(plan.kind === 'refuse' && plan.why, small(bytes));
    t.false(plan.roads.some(({taken}) => taken));
  }
});

test('a size equal to the image, or larger, is served', t => {
  for (const size of [8 * MiB, 9 * MiB]) t.is(choosePlan(record(), facts({size})).kind, 'fill');
});

test('the size of a copy that is not of this file does not refuse anything', t => {
  const other = entry({size: 64 * MiB, source: {...entry().source, size: 64 * MiB}});
  t.is(choosePlan(record(), facts({cached: other, size: 8 * MiB})).kind, 'fill');
});

const source = entry().source;
const different: [string, Parameters<typeof record>[0], Partial<ReturnType<typeof entry>>, string][] = [
  ['size', {}, {source: {...source, size: 1}}, `the copy was made of 1 bytes, Glance has ${8 * MiB}`],
  ['format', {}, {source: {...source, diskFormat: 'iso'}}, 'the copy was made of iso, Glance says raw'],
  ['sha512', {osHashValue: 'h2'}, {}, 'its sha512 is not the one Glance has now'],
  [
    'md5',
    {checksum: 'c2'},
    {source: {...source, digests: {sha512: 'h1', md5: 'c1'}}},
    'its md5 is not the one Glance has now',
  ],
];
for (const [what, image, copy, why] of different) {
  test(`a copy of another ${what} is not cloned but filled anew`, t => {
    const plan = choosePlan(record(image), facts({cached: entry(copy)}));
    t.is(plan.kind, 'fill');
    t.is(plan.roads[1]?.why, why);
  });
}

test('a hash that Glance lost, or of an algorithm that was not computed, proves nothing against a copy', t => {
  for (const image of [
    {osHashAlgo: undefined, osHashValue: undefined, checksum: undefined},
    {osHashAlgo: 'blake2b', osHashValue: 'x'},
  ]) {
    t.is(choosePlan(record(image), facts({cached: entry()})).kind, 'clone-cached');
  }
});

test('the same facts make the same plan, and are not changed', t => {
  const known = facts({locations: [{url: url('images'), state: clonable}], cached: entry()});
  const before = structuredClone(known);
  t.deepEqual(choosePlan(record(), known), choosePlan(record(), known));
  t.deepEqual(known, before);
});
