import {readFileSync} from 'node:fs';
import test from 'ava';
import {broken, Images, inspect, judge, patched, qemuImg, refusal} from './images.ts';

const images = new Images();
const plain = images.convert('qcow2');
const size = 4 * 1024 * 1024;

const features = (bytes: Buffer) => inspect(bytes).detections[0]?.features ?? {};

for (const [options, args, version] of [
  ['compat=0.10', [], 2],
  ['compat=1.1', [], 3],
  ['compat=1.1,lazy_refcounts=on', [], 3],
  ['compression_type=zstd', ['-c'], 3],
  ['cluster_size=512', [], 3],
  ['cluster_size=2M', [], 3],
  ['refcount_bits=1', [], 3],
  ['', ['-c'], 3],
] as const) {
  test(`a qcow2 of the options "${options}"${args.length > 0 ? ', compressed,' : ''} is converted`, t => {
    const bytes = images.convert('qcow2', options, ...args);
    t.like(judge('qcow2', bytes), {
      ok: true,
      virtualSize: size,
      store: 'convert',
      qemu: {driver: 'qcow2', probed: 'qcow2'},
    });
    t.is(features(bytes)['version'], version);
  });
}

test('its compression and its clusters are told', t => {
  t.like(features(images.convert('qcow2', 'compression_type=zstd,cluster_size=128k', '-c')), {
    compression: 'zstd',
    clusterSize: 131072,
  });
  t.like(features(plain), {compression: 'zlib', dirty: false, snapshots: 0});
});

test('snapshots inside the file are fine', t => {
  const path = images.write('snapshots.qcow2', plain);
  qemuImg('snapshot', '-c', 'one', path);
  qemuImg('snapshot', '-c', 'two', path);
  const bytes = readFileSync(path);
  t.true(judge('qcow2', bytes).ok);
  t.is(features(bytes)['snapshots'], 2);
});

test('a dirty one is fine: its counts are stale, its data is not', t => {
  const bytes = patched(images.convert('qcow2', 'lazy_refcounts=on'), copy => copy.writeUInt8(1, 79));
  t.true(judge('qcow2', bytes).ok);
  t.is(features(bytes)['dirty'], true);
});

test('a backing file is refused', t => {
  const bytes = images.create('qcow2', '', '', '-b', images.raw, '-F', 'raw');
  t.deepEqual(broken('qcow2', bytes), ['backing-file']);
  t.is(refusal('qcow2', bytes), 'it has a backing file: it would read another file');
});

for (const raw of ['off', 'on']) {
  test(`an external data file is refused (data_file_raw=${raw})`, t => {
    const bytes = images.create('qcow2', '4M', `data_file=${images.path('data')},data_file_raw=${raw}`);
    t.true(broken('qcow2', bytes).every(rule => rule === 'data-file'));
    t.regex(refusal('qcow2', bytes), /external file/);
  });
}

test('the name of a data file alone, without its bit, is refused', t => {
  const bytes = patched(images.create('qcow2', '4M', `data_file=${images.path('data')}`), copy =>
    copy.writeUInt8(0, 79),
  );
  t.deepEqual(broken('qcow2', bytes), ['data-file']);
});

test('encryption is refused: the old kind and LUKS', t => {
  const luks = images.create(
    'qcow2',
    '4M',
    'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10',
    '--object',
    'secret,id=s,data=abc',
  );
  t.true(broken('qcow2', luks).includes('encrypted'));
  t.deepEqual(
    broken(
      'qcow2',
      patched(plain, copy => copy.writeUInt32BE(1, 32)),
    ),
    ['encrypted'],
  );
});

test('subclusters are refused, as Nova does', t => {
  t.deepEqual(broken('qcow2', images.convert('qcow2', 'extended_l2=on')), ['features']);
});

test('every feature bit that is not known is refused', t => {
  for (let bit = 5; bit < 64; bit++) {
    const bytes = patched(plain, copy => copy.writeBigUInt64BE(1n << BigInt(bit), 72));
    t.deepEqual(broken('qcow2', bytes), ['features'], `bit ${bit}`);
  }
});

test('one that is marked as corrupt is refused', t => {
  t.deepEqual(
    broken(
      'qcow2',
      patched(plain, copy => copy.writeUInt8(2, 79)),
    ),
    ['corrupt'],
  );
});

const headers: [what: string, change: (copy: Buffer) => void, rule: string][] = [
  ['version 4', copy => copy.writeUInt32BE(4, 4), 'version'],
  ['version 0', copy => copy.writeUInt32BE(0, 4), 'version'],
  ['clusters of 4 MiB', copy => copy.writeUInt32BE(22, 20), 'header'],
  ['clusters of 2^32 bytes and more', copy => copy.writeUInt32BE(0xffffffff, 20), 'header'],
  ['no bytes', copy => copy.writeBigUInt64BE(0n, 24), 'virtual-size'],
  ['half a sector', copy => copy.writeBigUInt64BE(4096n + 256n, 24), 'virtual-size'],
  ['a header of 96 bytes', copy => copy.writeUInt32BE(96, 100), 'header'],
  ['a header of 105 bytes', copy => copy.writeUInt32BE(105, 100), 'header'],
  ['a header longer than a cluster', copy => copy.writeUInt32BE(65544, 100), 'header'],
  ['counts of 128 bits', copy => copy.writeUInt32BE(7, 96), 'header'],
  ['an unknown compression', copy => copy.writeUInt8(9, 104), 'features'],
  ['a compression without its bit', copy => copy.writeUInt8(1, 104), 'header'],
  ['a compression bit without its type', copy => copy.writeUInt8(8, 79), 'header'],
  ['an L1 table outside the file', copy => copy.writeBigUInt64BE(1n << 40n, 40), 'truncated'],
  ['an L1 table at the end of the numbers', copy => copy.writeBigUInt64BE(0xffffffffffff0000n, 40), 'truncated'],
  ['an L1 table between clusters', copy => copy.writeBigUInt64BE(65537n, 40), 'layout'],
  ['an L1 table of 4 billion entries', copy => copy.writeUInt32BE(0xffffffff, 36), 'layout'],
  ['an L1 table too short for its size', copy => copy.writeBigUInt64BE(1n << 40n, 24), 'layout'],
  ['a table of counts of 256 TiB', copy => copy.writeUInt32BE(0xffffffff, 56), 'layout'],
  ['4 billion snapshots', copy => copy.writeUInt32BE(0xffffffff, 60), 'layout'],
  [
    'snapshots outside the file',
    copy => {
      copy.writeUInt32BE(1, 60);
      copy.writeBigUInt64BE(1n << 30n, 64);
    },
    'truncated',
  ],
  ['an extension without an end', copy => copy.writeUInt32BE(0xfffffff8, 116), 'header'],
];
for (const [what, change, rule] of headers) {
  test(`a header with ${what} is refused`, t => {
    t.true(broken('qcow2', patched(plain, change)).includes(rule), broken('qcow2', patched(plain, change)).join());
  });
}

test('of clusters it is said which there can be', t => {
  const bytes = patched(plain, copy => copy.writeUInt32BE(8, 20));
  t.is(refusal('qcow2', bytes), 'its clusters are 2^8 bytes; 2^9 to 2^21 are possible');
});

test('a size bomb is refused, or told, by the first bytes', t => {
  const bytes = (value: bigint) => patched(plain, copy => copy.writeBigUInt64BE(value, 24));
  t.regex(refusal('qcow2', bytes(1n << 63n)), /a disk of 9223372036854775808 bytes/);
  t.is(inspect(bytes(1n << 50n)).detections[0]?.virtualSize, 2 ** 50);
});

test('a version 2 header with extensions is refused, as Nova does', t => {
  const bytes = patched(images.convert('qcow2', 'compat=0.10'), copy => copy.writeUInt32BE(0x12345678, 72));
  t.deepEqual(broken('qcow2', bytes), ['features']);
});

test('version 1 is another format', t => {
  const bytes = patched(plain, copy => copy.writeUInt32BE(1, 4));
  t.is(refusal('qcow2', bytes), 'its disk_format is qcow2, but it is qcow');
  t.is(refusal('raw', bytes), 'its disk_format is raw, but it is qcow');
  t.is(refusal('qcow2', images.convert('qcow')), 'its disk_format is qcow2, but it is qcow');
});
