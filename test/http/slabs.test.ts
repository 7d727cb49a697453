import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import net, {type AddressInfo} from 'node:net';
import {setImmediate as turn} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {DirectBody, exchangeDirect} from '../../src/http/direct.ts';
import {Slabs} from '../../src/http/slabs.ts';
import {Transport} from '../../src/http/transport.ts';

const KiB = 1024;
const runs = Number(process.env['CELLAR_SLABS_RUNS'] ?? 400);

/** A slice that somebody holds, and what it was when it was read. */
type Held = {slice: Uint8Array; bytes: Buffer};

const same = ({slice, bytes}: Held) => bytes.equals(slice);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({do: fc.constant('read'), who: fc.nat(2), length: fc.integer({min: 1, max: 262_144})}),
  },
  {weight: 6, arbitrary: fc.record({do: fc.constant('read'), who: fc.nat(2), length: fc.integer({min: 1, max: 3000})})},
  {weight: 2, arbitrary: fc.record({do: fc.constant('look'), who: fc.nat(2), length: fc.integer({min: 1, max: 1000})})},
  {weight: 9, arbitrary: fc.record({do: fc.constant('recycle'), who: fc.nat(), length: fc.constant(0)})},
  {weight: 1, arbitrary: fc.record({do: fc.constant('again'), who: fc.nat(), length: fc.constant(0)})},
  {weight: 1, arbitrary: fc.record({do: fc.constant('part'), who: fc.nat(), length: fc.constant(0)})},
);

test('whatever the order of reads and returns, bytes that are held stay what they were', t => {
  let reused = 0;
  const property = fc.property(fc.array(step, {minLength: 20, maxLength: 200}), steps => {
    const slabs = new Slabs();
    const readers = [slabs.reader(), slabs.reader(), slabs.reader()];
    const held: Held[] = [];
    const gone: Uint8Array[] = [];
    const memory = new Set<ArrayBufferLike>();
    let reads = 0;
    for (const [at, {do: what, who, length}] of steps.entries()) {
      const reader = readers[who % 3];
      if (what === 'read' || what === 'look') {
        const room = reader?.room().subarray(0, length) ?? Buffer.alloc(0);
        t.true(room.length > 0);
        room.fill(at + 1); // as a read does
        if (what === 'look') continue; // as the head of an answer, which is copied
        const slice = reader?.take(room.length) ?? Buffer.alloc(0);
        if (slice.length !== room.length) return false;
        if (slice.byteOffset === 0 && memory.has(slice.buffer)) reused += 1;
        memory.add(slice.buffer);
        held.push({slice, bytes: Buffer.alloc(slice.length, at + 1)});
        reads += 1;
      } else if (what === 'recycle' && held.length > 0) {
        const [one] = held.splice(who % held.length, 1);
        if (one === undefined || !same(one)) return false;
        slabs.recycle(one.slice);
        gone.push(one.slice);
      } else if (what === 'again' && gone.length > 0) {
        slabs.recycle(gone[who % gone.length] ?? Buffer.alloc(0)); // a second time
      } else if (what === 'part' && held.length > 0) {
        slabs.recycle(Buffer.alloc(256 * KiB)); // a stranger's, and a piece of one of ours
        slabs.recycle(held[who % held.length]?.slice.subarray(0) ?? Buffer.alloc(0));
      }
    }
    return held.every(same) && memory.size <= reads + 3;
  });
  fc.assert(property, {numRuns: runs});
  t.true(reused > runs / 4, `a slab was used again ${reused} times`);
});

test('small reads share a slab, and it comes back when the last of them does', t => {
  const slabs = new Slabs();
  const reader = slabs.reader();
  const slices = Array.from({length: 193}, () => {
    reader.room();
    return reader.take(KiB);
  });
  reader.room(); // there is less than a quarter left: another slab
  t.is(new Set(slices.map(({buffer}) => buffer)).size, 1);
  for (const slice of slices.slice(1)) slabs.recycle(slice);
  t.is(slabs.free, 0);
  slabs.recycle(slices[0] ?? Buffer.alloc(0));
  t.is(slabs.free, 1);
  t.is(slabs.reader().room().buffer, slices[0]?.buffer as ArrayBuffer);
});

test('no more than some slabs are kept', t => {
  const slabs = new Slabs();
  const reader = slabs.reader();
  const slices = Array.from({length: 100}, () => reader.take(reader.room().length));
  reader.room();
  for (const slice of slices) slabs.recycle(slice);
  t.is(slabs.free, 40);
});

/** A server that sends these bytes in pieces of every size, and does not wait between them. */
async function startPieces(t: ExecutionContext, data: Buffer): Promise<string> {
  const sizes = [1, 7, 100, 3000, 1, 20_000, 64 * KiB, 64 * KiB - 1, 300_000, 2, 1448];
  const server = net.createServer({noDelay: true}, async socket => {
    socket.on('error', () => {});
    await once(socket, 'data');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${data.length}\r\n\r\n`);
    for (let at = 0, n = 0; at < data.length && !socket.destroyed; n++) {
      const length = sizes[n % sizes.length] ?? 1;
      if (!socket.write(data.subarray(at, at + length))) await turn();
      else if (n % 3 === 0) await turn(); // a packet of its own, mostly
      at += length;
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Numbers from 0 to less than `below`, the same ones in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

test('bodies that share memory are what was sent, with readers that give back late, twice, in any order, or never', async t => {
  const data = randomBytes(9 * 1024 * KiB + 77);
  const url = await startPieces(t, data);
  const transport = new Transport();
  t.teardown(() => transport.close());
  const left: Held[] = []; // of all readers, to their end
  const read = async (seed: number) => {
    const next = numbers(seed);
    const aborted = new AbortController();
    const {body} = await exchangeDirect(transport, {method: 'GET', url, signal: aborted.signal});
    if (!(body instanceof DirectBody)) throw new Error('not read directly');
    const most = next(40);
    const held: Held[] = [];
    const hash = createHash('sha256');
    let at = 0;
    try {
      for await (const slice of body as AsyncIterable<Uint8Array>) {
        held.push({slice, bytes: data.subarray(at, at + slice.length)});
        at += slice.length;
        hash.update(slice);
        if (seed % 4 === 3 && at > data.length / 2) aborted.abort();
        if (next(2) === 0) await turn();
        while (held.length > most) {
          const [one] = held.splice(next(held.length), 1);
          if (one === undefined || !same(one)) throw new Error(`other bytes, of ${slice.length} at ${at}`);
          if (seed % 5 === 4) {
            left.push(one);
            continue;
          }
          body.recycle(one.slice);
          if (next(10) === 0) body.recycle(one.slice);
          if (next(10) === 0) body.recycle(Buffer.alloc(256 * KiB));
        }
      }
    } catch (error) {
      if (!aborted.signal.aborted) throw error;
    }
    left.push(...held);
    return aborted.signal.aborted ? 'aborted' : hash.digest('hex');
  };
  const sent = createHash('sha256').update(data).digest('hex');
  const seeds = Array.from({length: 12}, (_, seed) => seed);
  const seen = [...(await Promise.all(seeds.map(read))), ...(await Promise.all(seeds.map(read)))];
  t.deepEqual(
    seen,
    [...seeds, ...seeds].map(seed => (seed % 4 === 3 ? 'aborted' : sent)),
  );
  t.true(left.length > 0 && left.every(same));
});

test('a body in small pieces takes little memory of a reader that gives back', async t => {
  const data = randomBytes(4 * 1024 * KiB);
  const url = await startPieces(t, data);
  const transport = new Transport();
  t.teardown(() => transport.close());
  const memory = new Set<ArrayBufferLike>();
  for (let round = 0; round < 3; round++) {
    const {body} = await exchangeDirect(transport, {method: 'GET', url, signal: new AbortController().signal});
    const hash = createHash('sha256');
    for await (const slice of body as AsyncIterable<Uint8Array>) {
      memory.add(slice.buffer);
      hash.update(slice);
      (body as DirectBody).recycle(slice);
    }
    t.deepEqual(hash.digest(), createHash('sha256').update(data).digest());
  }
  t.true(memory.size < 24, `${memory.size} pieces of memory`); // 8 in the stream, and what each connection ends with
});
