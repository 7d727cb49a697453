import test from 'ava';
import type {RpcClient} from '../../src/oslo/rpc.ts';
import {Cells} from '../../src/registrar/cells.ts';

const signal = AbortSignal.timeout(60_000);
const cell = (uuid: string) => ({uuid});

/** Cells whose URLs are these; what is connected and closed is seen. */
function setUp(urls: Record<string, string>, limit?: number) {
  const seen: string[] = [];
  const cells = new Cells({
    api: {transportUrl: async uuid => urls[uuid] ?? ''},
    connect: url => {
      seen.push(`open ${url}`);
      return {close: async () => void seen.push(`close ${url}`)} as unknown as RpcClient;
    },
    ...(limit !== undefined && {limit}),
  });
  return {cells, seen, urls};
}

test('a connection is made when a cell is first asked, and kept', async t => {
  const {cells, seen} = setUp({a: 'A', b: 'B'});
  t.is(await cells.use(cell('a'), signal, async () => 7), 7);
  await cells.use(cell('a'), signal, async () => {});
  await cells.use(cell('b'), signal, async () => {});
  t.deepEqual(seen, ['open A', 'open B']);
  await cells.close();
  t.deepEqual(seen.slice(2).toSorted(), ['close A', 'close B']);
});

test('a cell mapping that was changed counts at once; who works over the old connection ends in peace', async t => {
  const {cells, seen, urls} = setUp({a: 'A'});
  const gate = Promise.withResolvers<void>();
  const old = cells.use(cell('a'), signal, () => gate.promise);
  await Promise.resolve();
  urls['a'] = 'A2';
  await cells.use(cell('a'), signal, async () => {});
  t.deepEqual(seen, ['open A', 'open A2']);
  gate.resolve();
  await old;
  t.deepEqual(seen, ['open A', 'open A2', 'close A']);
});

test('of too many connections those go that were not used for the longest time, and nobody uses', async t => {
  const {cells, seen} = setUp({a: 'A', b: 'B', c: 'C', d: 'D'}, 2);
  const gate = Promise.withResolvers<void>();
  const busy = cells.use(cell('a'), signal, () => gate.promise);
  await cells.use(cell('b'), signal, async () => {});
  await cells.use(cell('c'), signal, async () => {});
  t.deepEqual(seen, ['open A', 'open B', 'open C', 'close B']);
  gate.resolve();
  await busy;
  await cells.use(cell('d'), signal, async () => {});
  t.deepEqual(seen.slice(4), ['open D', 'close A']);
});

test('an act that fails gives its connection back', async t => {
  const {cells, seen, urls} = setUp({a: 'A'});
  await t.throwsAsync(
    cells.use(cell('a'), signal, async () => {
      throw new Error('no');
    }),
    {message: 'no'},
  );
  urls['a'] = 'A2';
  await cells.use(cell('a'), signal, async () => {});
  t.deepEqual(seen, ['open A', 'open A2', 'close A']);
});
