import test from 'ava';
import fc from 'fast-check';
import {judgeDisk} from '../../src/core/disk.ts';
import {sameSnapshot} from '../../src/core/location.ts';
import type {DiskState, Intent} from '../../src/core/ports.ts';
import {intent, parent} from './facts.ts';

const other = {...parent, image: 'somebody-else'};
const self = {host: 'node1', run: 'alive'};
const intentStale = 300_000;

const absent: DiskState = {kind: 'absent'};
const torn: DiskState = {kind: 'torn', why: 'half a disk'};
const image = (changes: Partial<Extract<DiskState, {kind: 'image'}>> = {}): DiskState => ({
  kind: 'image',
  size: 1,
  parent,
  registered: true,
  empty: true,
  ...changes,
});
const judge = (state: DiskState, left?: Intent, intentAge = left === fresh ? 60_000 : 3_600_000) =>
  judgeDisk({state, intent: left, self, isOurs: spec => sameSnapshot(spec, parent), intentAge, intentStale});
const does = (state: DiskState, left?: Intent, intentAge?: number) => {
  const verdict = judge(state, left, intentAge);
  return verdict.do === 'refuse' ? verdict.kind : verdict.do;
};

const flat = image({parent: undefined});
const flatWithData = image({parent: undefined, empty: false});
const foreign = image({parent: other});
const unregistered = image({registered: false});

const dead = intent();
const ours = intent({run: self.run});
const stale = intent({host: 'node2'});
const fresh = intent({host: 'node2', run: 'at work'});

//                                    no intent      of a dead run  of this run    stale, other   fresh, other host
const table: [string, DiskState, string, string, string, string, string][] = [
  ['nothing', absent, 'make', 'make', 'make', 'make', 'unavailable'],
  ['half a disk', torn, 'look-again', 'repair', 'repair', 'repair', 'unavailable'],
  ['a whole clone of the image', image(), 'answer', 'finish', 'finish', 'finish', 'unavailable'],
  ['a whole clone that a guest wrote to', image({empty: false}), 'answer', 'finish', 'finish', 'finish', 'unavailable'],
  ['a clone that its parent does not list', unregistered, 'conflict', 'repair', 'repair', 'repair', 'unavailable'],
  [
    'such a clone with data',
    image({registered: false, empty: false}),
    'conflict',
    'conflict',
    'conflict',
    'conflict',
    'unavailable',
  ],
  ['an empty image without a parent', flat, 'conflict', 'repair', 'repair', 'repair', 'unavailable'],
  ['a flat image with data', flatWithData, 'conflict', 'conflict', 'conflict', 'conflict', 'unavailable'],
  ['a clone of another image', foreign, 'conflict', 'conflict', 'conflict', 'conflict', 'unavailable'],
  [
    'a clone of another, not listed',
    image({parent: other, registered: false}),
    'conflict',
    'conflict',
    'conflict',
    'conflict',
    'unavailable',
  ],
];
for (const [what, state, ...expected] of table) {
  test(`under the name stands ${what}: what is done follows from whose intent is journalled`, t => {
    t.deepEqual([does(state), does(state, dead), does(state, ours), does(state, stale), does(state, fresh)], expected);
  });
}

test('a clone of what the intent names is repaired, though Glance shows that location no more', t => {
  t.is(does(image({parent: other}), intent({parent: other})), 'repair');
  t.is(does(image({parent: other, empty: false}), intent({parent: other})), 'conflict');
});

test("another host's intent is respected until it is stale, to the millisecond", t => {
  t.is(does(absent, stale, intentStale - 1), 'unavailable');
  t.is(does(absent, stale, intentStale), 'make');
});

const anyState: fc.Arbitrary<DiskState> = fc.oneof(
  fc.constant(absent),
  fc.constant(torn),
  fc.record({
    kind: fc.constant('image' as const),
    size: fc.nat(),
    parent: fc.constantFrom(undefined, parent, other),
    registered: fc.boolean(),
    empty: fc.boolean(),
  }),
);
const anyIntent = fc.constantFrom(undefined, dead, ours, stale, fresh, intent({parent: other}));

test('what opens is never removed without an intent, and what holds data never at all', t => {
  fc.assert(
    fc.property(anyState, anyIntent, (state, left) => {
      const verdict = judge(state, left);
      if (state.kind !== 'image' || verdict.do !== 'repair') return;
      t.true(state.empty && left !== undefined);
    }),
    {numRuns: 500},
  );
});

test('only a whole clone of the image is ever answered for', t => {
  fc.assert(
    fc.property(anyState, anyIntent, (state, left) => {
      const verdict = judge(state, left);
      if (verdict.do !== 'answer' && verdict.do !== 'finish') return;
      t.true(state.kind === 'image' && state.registered && state.parent === parent);
    }),
    {numRuns: 500},
  );
});
