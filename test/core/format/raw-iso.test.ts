import test from 'ava';
import {servedFormats} from '../../../src/core/format/index.ts';
import {gpt, mbr} from './forge.ts';
import {broken, Images, inspect, judge, noise, patched, refusal} from './images.ts';

const images = new Images();
const iso = images.iso();
const sector = 2048;

test('raw is what has no signature, of whatever length', t => {
  for (const length of [1, 511, 512, 513, 100_000]) {
    t.like(judge('raw', noise(length)), {ok: true, format: 'raw', virtualSize: length, store: 'as-is'});
    t.like(judge('raw', Buffer.alloc(length)), {ok: true, virtualSize: length});
  }
  t.is(refusal('raw', Buffer.alloc(0)), 'it has no data');
});

test('a partition table is part of a raw disk', t => {
  t.like(judge('raw', mbr(1 << 20)), {ok: true, store: 'as-is', why: 'it is a raw disk with a partition table (mbr)'});
  t.like(judge('raw', gpt(1 << 20)), {ok: true, store: 'as-is', why: 'it is a raw disk with a partition table (gpt)'});
  t.deepEqual(inspect(gpt(4096)).detections[0]?.features, {partitions: 1, header: true});
});

test('a boot sector without a table is no partition table: FAT, code, nothing in it', t => {
  const fat = patched(mbr(4096), copy => copy.write('FAT32   ', 82));
  const code = patched(mbr(4096), copy => copy.writeUInt8(0x33, 462));
  const empty = patched(mbr(4096), copy => copy.writeUInt8(0, 450));
  for (const bytes of [fat, code, empty]) {
    t.deepEqual(inspect(bytes).detections, []);
    t.true(judge('raw', bytes).ok);
  }
});

const signatures: [format: string, start: string][] = [
  ['qcow2', 'QFI\xfb\0\0\0\x03'],
  ['qcow2', 'QFI\xfb'],
  ['qcow', 'QFI\xfb\0\0\0\x01'],
  ['qed', 'QED\0'],
  ['vmdk', 'KDMV'],
  ['vmdk', 'COWD'],
  ['vmdk', '# Disk DescriptorFile\n'],
  ['vhd', 'conectix'],
  ['vhdx', 'vhdxfile'],
  ['vdi', `${'\0'.repeat(64)}\x7f\x10\xda\xbe`],
  ['luks', 'LUKS\xba\xbe\0\x01'],
  ['luks', 'LUKS\xba\xbe\0\x02'],
  ['parallels', 'WithoutFreeSpace'],
  ['parallels', 'WithouFreSpacExt'],
  ['bochs', 'Bochs Virtual HD Image'],
  ['cloop', '#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n'],
];
for (const [format, start] of signatures) {
  test(`declared raw but ${JSON.stringify(start.slice(0, 24))} is refused, whole or cut off`, t => {
    const why = `its disk_format is raw, but it is ${format}`;
    const whole = Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(100_000)]);
    t.is(refusal('raw', whole), why);
    t.is(refusal('raw', Buffer.from(start, 'latin1')), why);
    t.is(
      refusal(
        'raw',
        patched(whole, copy => copy.writeUInt16LE(0xaa55, 510)),
      ),
      why,
    );
  });
}

test('real images of those formats do not pass as raw, nor as each other', t => {
  const real: [string, Buffer][] = [
    ['qcow2', images.convert('qcow2')],
    ['vmdk', images.convert('vmdk')],
    ['vdi', images.convert('vdi')],
    ['vhd', images.convert('vpc')],
    ['vhdx', images.convert('vhdx')],
    ['iso', iso],
    ['qed', images.convert('qed')],
    ['parallels', images.convert('parallels')],
    ['luks', images.create('luks', '1M', 'key-secret=s,iter-time=10', '--object', 'secret,id=s,data=abc')],
  ];
  for (const [format, bytes] of real) {
    for (const declared of servedFormats.filter(name => name !== format)) {
      t.is(refusal(declared, bytes), `its disk_format is ${declared}, but it is ${format}`);
    }
  }
});

test('what nobody serves is refused by its name', t => {
  for (const declared of ['ami', 'aki', 'ari', 'ploop', 'qed', 'luks', 'gpt', '', 'RAW', 'toString']) {
    t.is(
      refusal(declared, noise(4096)),
      `its disk_format is ${declared}; served are raw, iso, qcow2, vmdk, vdi, vhd, vhdx`,
    );
  }
});

test('an ISO image is kept as it is, with UDF, Joliet or a partition table', t => {
  t.like(judge('iso', iso), {ok: true, format: 'iso', virtualSize: iso.length, store: 'as-is'});
  t.true(judge('iso', images.iso('-udf')).ok);
  t.true(judge('iso', images.iso('-J')).ok);
  t.true(
    judge(
      'iso',
      patched(iso, copy => mbr(sector).copy(copy)),
    ).ok,
  );
  t.true(
    judge(
      'iso',
      patched(iso, copy => gpt(sector).copy(copy)),
    ).ok,
  );
  t.deepEqual(inspect(images.iso('-udf')).detections[0]?.features, {
    iso9660: true,
    udf: true,
    volumeSize: images.iso('-udf').length,
  });
});

test('a disc of UDF alone is an ISO image', t => {
  const bytes = Buffer.alloc(100_000);
  for (const [n, name] of ['BEA01', 'NSR03', 'TEA01'].entries()) bytes.write(name, (16 + n) * sector + 1);
  t.true(judge('iso', bytes).ok);
  t.is(refusal('raw', bytes), 'its disk_format is raw, but it is iso');
  t.regex(refusal('iso', bytes.subarray(0, 17 * sector)), /no such signature/);
});

test('an ISO image that ends in its descriptors is refused', t => {
  t.deepEqual(broken('iso', iso.subarray(0, 16 * sector + 100)), ['truncated']);
  t.regex(refusal('iso', iso.subarray(0, 16 * sector)), /no such signature/);
});

test('a list of descriptors without an end is given up', t => {
  const bytes = Buffer.alloc(16 * sector + 1000 * sector);
  for (let n = 16; n < 1016; n++) bytes.write('CD001', n * sector + 1);
  t.true(judge('iso', bytes).ok);
});

test('a file of two formats is refused, as whichever it is declared', t => {
  for (const [format, bytes] of [
    ['qcow2', images.convert('qcow2')],
    ['vmdk', images.convert('vmdk')],
    ['vdi', images.convert('vdi')],
    ['vhd', images.convert('vpc')],
  ] as const) {
    const both = patched(bytes, copy => iso.copy(copy, 16 * sector, 16 * sector, 20 * sector));
    const two = /^its disk_format is .*, but it is .* as well: a file of two formats is refused$/;
    t.regex(refusal('iso', both), two);
    t.regex(refusal(format, both), two);
    t.regex(refusal('raw', both), new RegExp(`but it is (iso and ${format}|${format} and iso)$`));
  }
  const partitioned = patched(images.convert('qcow2'), copy => mbr(512).copy(copy, 446, 446));
  t.regex(refusal('qcow2', partitioned), /it is mbr as well/);
  const encrypted = patched(iso, copy => copy.write('LUKS\xba\xbe\0\x01', 'latin1'));
  t.regex(refusal('iso', encrypted), /it is luks as well/);
});
