import test from 'ava';
import {crc32c} from '../../../src/core/format/crc32c.ts';
import {withVhdxChecksum} from './forge.ts';
import {broken, Images, inspect, judge, patched, refusal} from './images.ts';

const KiB = 1024;
const images = new Images();
const plain = images.convert('vhdx');
const metadataAt = 3 * KiB * KiB; // where QEMU puts it

/** A change in both headers, the table of regions or the metadata, with the checksum right where there is one. */
const reheaded = (change: (header: Buffer) => void) =>
  patched(plain, copy => {
    for (const at of [64 * KiB, 128 * KiB]) {
      change(copy.subarray(at, at + 4096));
      withVhdxChecksum(copy.subarray(at, at + 4096));
    }
  });
const relisted = (change: (table: Buffer) => void) =>
  patched(plain, copy => {
    const table = copy.subarray(192 * KiB, 256 * KiB);
    change(table);
    withVhdxChecksum(table);
  });
const redescribed = (change: (metadata: Buffer) => void) =>
  patched(plain, copy => change(copy.subarray(metadataAt, metadataAt + 256 * KiB)));

/** Where an item's value stands in the metadata region, by its first four bytes (little-endian, as in the file). */
function item(metadata: Buffer, id: number): {entry: number; value: number} {
  for (let entry = 32; entry < 32 * 32; entry += 32) {
    if (metadata.readUInt32LE(entry) === id) return {entry, value: metadata.readUInt32LE(entry + 16)};
  }
  throw new Error('no such item');
}
const fileParameters = 0xcaa16737;
const virtualSize = 0x2fa54224;
const logicalSector = 0x8141bf1d;

test('CRC-32C is the one of RFC 3720', t => {
  t.is(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283);
});

for (const [subformat, options] of [
  ['dynamic', ''],
  ['fixed', 'subformat=fixed'],
  ['dynamic', 'block_size=1M'],
] as const) {
  test(`a ${subformat} VHDX is converted ${options}`, t => {
    const bytes = images.convert('vhdx', options);
    t.like(judge('vhdx', bytes), {ok: true, virtualSize: 4 * KiB * KiB, qemu: {driver: 'vhdx', probed: 'vhdx'}});
    t.is(inspect(bytes).detections[0]?.features['subformat'], subformat);
  });
}

test('one with writes in its log is refused', t => {
  t.deepEqual(
    broken(
      'vhdx',
      reheaded(header => header.writeUInt8(1, 48)),
    ),
    ['log'],
  );
});

test('the newer of the headers that are whole counts', t => {
  const old = patched(plain, copy => {
    const [one, two] = [copy.subarray(64 * KiB, 68 * KiB), copy.subarray(128 * KiB, 132 * KiB)];
    one.writeBigUInt64LE(1n, 8);
    one.writeUInt8(1, 48);
    two.writeBigUInt64LE(2n, 8);
    withVhdxChecksum(one);
    withVhdxChecksum(two);
  });
  t.deepEqual(broken('vhdx', old), []);
  const damaged = patched(old, copy => copy.writeUInt8(1, 131 * KiB)); // now the older one is all there is
  t.deepEqual(broken('vhdx', damaged), ['log']);
});

const cases: [what: string, file: Buffer, rule: string][] = [
  ['a parent', redescribed(m => m.writeUInt8(2, item(m, fileParameters).value + 4)), 'backing-file'],
  [
    'the place of a parent',
    redescribed(m => Buffer.from('2dd3f2a80bb34d45abf7d3d84834ab0c', 'hex').copy(m, item(m, logicalSector).entry)),
    'header',
  ],
  ['version 2', reheaded(header => header.writeUInt16LE(2, 66)), 'version'],
  ['no whole header', patched(plain, copy => copy.fill(1, 64 * KiB, 192 * KiB)), 'corrupt'],
  ['no table of regions', relisted(table => table.write('xxxx')), 'header'],
  ['a damaged table of regions', patched(plain, copy => copy.writeUInt8(1, 255 * KiB)), 'corrupt'],
  ['4 billion regions', relisted(table => table.writeUInt32LE(0xffffffff, 8)), 'header'],
  [
    'an unknown region that it needs',
    relisted(table => {
      table.writeUInt8(1, 16);
      table.writeUInt8(1, 44);
    }),
    'features',
  ],
  ['no block table', relisted(table => table.writeUInt8(1, 16)), 'header'],
  ['its metadata at its start', relisted(table => table.writeBigUInt64LE(0n, 48 + 16)), 'layout'],
  ['its metadata between megabytes', relisted(table => table.writeBigUInt64LE(0x300001n, 48 + 16)), 'layout'],
  [
    'its metadata at the end of the numbers',
    relisted(table => table.writeBigUInt64LE(0xfffffffffff00000n, 48 + 16)),
    'truncated',
  ],
  ['its metadata in another place', relisted(table => table.writeBigUInt64LE(0x200000n, 48 + 16)), 'header'],
  ['its metadata longer than the file', relisted(table => table.writeUInt32LE(0xfff00000, 48 + 24)), 'truncated'],
  ['65535 items', redescribed(m => m.writeUInt16LE(0xffff, 10)), 'header'],
  ['no items', redescribed(m => m.writeUInt16LE(0, 10)), 'header'],
  ['an unknown item that it needs', redescribed(m => m.writeUInt32LE(1, item(m, logicalSector).entry)), 'features'],
  [
    'an item that points outside',
    redescribed(m => m.writeUInt32LE(0xffffffff, item(m, virtualSize).entry + 16)),
    'layout',
  ],
  ['an item in the table', redescribed(m => m.writeUInt32LE(0, item(m, virtualSize).entry + 16)), 'layout'],
  [
    'two sizes',
    redescribed(m =>
      m.copy(m, item(m, logicalSector).entry, item(m, virtualSize).entry, item(m, virtualSize).entry + 32),
    ),
    'header',
  ],
  ['sectors of 4096 bytes', redescribed(m => m.writeUInt32LE(4096, item(m, logicalSector).value)), 'features'],
  ['blocks of 4 GiB', redescribed(m => m.writeUInt32LE(0xffffffff, item(m, fileParameters).value)), 'header'],
  ['no bytes', redescribed(m => m.writeBigUInt64LE(0n, item(m, virtualSize).value)), 'virtual-size'],
  ['2^64 bytes', redescribed(m => m.writeBigUInt64LE(0xffffffffffffffffn, item(m, virtualSize).value)), 'virtual-size'],
];
for (const [what, file, rule] of cases) {
  test(`a VHDX with ${what} is refused`, t => t.true(broken('vhdx', file).includes(rule), broken('vhdx', file).join()));
}

test('a parent locator alone is refused too', t => {
  const file = redescribed(m => {
    const count = m.readUInt16LE(10);
    Buffer.from('2d5fd3a80bb34d45abf7d3d84834ab0c', 'hex').copy(m, 32 + 32 * count);
    m.writeUInt16LE(count + 1, 10);
  });
  t.deepEqual(broken('vhdx', file), ['backing-file']);
});

test('a size bomb is told', t => {
  const file = redescribed(m => m.writeBigUInt64LE(1n << 50n, item(m, virtualSize).value));
  t.like(judge('vhdx', file), {ok: true, virtualSize: 2 ** 50});
});

test('it does not pass as raw', t => t.is(refusal('raw', plain), 'its disk_format is raw, but it is vhdx'));
