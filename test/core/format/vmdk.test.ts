import test from 'ava';
import {streamDescriptor, streamedVmdk} from './forge.ts';
import {broken, Images, inspect, judge, patched, refusal} from './images.ts';

const images = new Images();
const sparse = images.convert('vmdk');
const size = 4 * 1024 * 1024;

/** The same file with another text in it. */
const described = (change: (text: string) => string) => streamedVmdk({descriptor: change(streamDescriptor)});

for (const subformat of ['monolithicSparse', 'streamOptimized']) {
  test(`${subformat} is converted`, t => {
    const bytes = images.convert('vmdk', `subformat=${subformat}`);
    t.like(judge('vmdk', bytes), {ok: true, virtualSize: size, qemu: {driver: 'vmdk', probed: 'vmdk'}});
    t.is(inspect(bytes).detections[0]?.features['subformat'], subformat.toLowerCase());
  });
}

test('a streamed one, whose directory is named in a footer, is converted', t => {
  t.like(judge('vmdk', streamedVmdk()), {ok: true, virtualSize: size});
});

for (const subformat of ['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat']) {
  test(`${subformat} is refused, declared as VMDK or as raw: it names other files`, t => {
    const text = images.create('vmdk', '4M', `subformat=${subformat}`);
    t.deepEqual(broken('vmdk', text), ['subformat']);
    t.regex(refusal('vmdk', text), /names other files/);
    t.is(refusal('raw', text), 'its disk_format is raw, but it is vmdk');
  });
}

test('a text that QEMU would take for a descriptor is one, however it is dressed', t => {
  const line = 'RW 1 FLAT "/etc/passwd" 0\n';
  for (const head of [
    '# Disk DescriptorFile\n',
    '#\n \n# x\nversion=1\n',
    'version=2\r\n',
    '\n\nversion=3\n',
    '# a\n version = 1\n',
    '#disk descriptorFILE\n',
  ]) {
    t.deepEqual(broken('vmdk', Buffer.from(`${head}${line}`)), ['subformat'], JSON.stringify(head));
  }
  for (const harmless of ['#!/bin/sh\necho version=1\n', '#cloud-config\n', 'version', '\n\n\n']) {
    t.true(judge('raw', Buffer.from(harmless)).ok, JSON.stringify(harmless));
  }
});

test('an envelope without a disk of its own is refused: QEMU would open what its text names', t => {
  t.true(
    broken(
      'vmdk',
      patched(sparse, copy => copy.writeBigUInt64LE(0n, 12)),
    ).includes('virtual-size'),
  );
});

test('a parent is refused, wherever its word stands', t => {
  for (const hint of [
    'parentFileNameHint="/etc/passwd"\n',
    '# PARENTFILENAMEHINT="x"\n',
    'ddb.x = "parentfilenamehint"\n',
  ]) {
    t.deepEqual(
      broken(
        'vmdk',
        described(text => text + hint),
      ),
      ['backing-file'],
      hint,
    );
  }
  t.deepEqual(
    broken(
      'vmdk',
      described(text => text.replace('ffffffff', '7b5bf2ec')),
    ),
    ['backing-file'],
  );
});

const descriptors: [what: string, change: (text: string) => string, rule: string][] = [
  ['an extent with a path', text => text.replace('disk.vmdk', '../disk.vmdk'), 'descriptor'],
  ['an extent with a path of Windows', text => text.replace('disk.vmdk', 'c:\\disk.vmdk'), 'descriptor'],
  ['an extent that is flat', text => text.replace('SPARSE', 'FLAT'), 'subformat'],
  [
    'a second extent that is elsewhere',
    text => text.replace('# The Disk', 'RW 1 SPARSE "/etc/passwd"\n# The Disk'),
    'descriptor',
  ],
  ['no extent', text => text.replace(/^RDONLY.*$/m, ''), 'descriptor'],
  ['a line that is not understood', text => `${text}what is this\n`, 'descriptor'],
  ['another createType', text => text.replace('streamOptimized', 'monolithicFlat'), 'subformat'],
  ['no createType', text => text.replace(/^createType.*$/m, ''), 'descriptor'],
  ['two createTypes', text => `${text}createType="monolithicSparse"\n`, 'descriptor'],
  ['letters that are not ASCII', text => `${text}# \xe4\n`, 'descriptor'],
  ['a key', text => `${text}encryption.keySafe = "vmware:key/list"\n`, 'encrypted'],
  ['something after its end', text => `${text}\0\0parent`, 'descriptor'],
];
for (const [what, change, rule] of descriptors) {
  test(`a descriptor with ${what} is refused`, t => t.deepEqual(broken('vmdk', described(change)), [rule]));
}

const headers: [what: string, change: (copy: Buffer) => void, rule: string][] = [
  ['version 0', copy => copy.writeUInt32LE(0, 4), 'version'],
  ['version 4', copy => copy.writeUInt32LE(4, 4), 'version'],
  ['grains of no sector', copy => copy.writeBigUInt64LE(0n, 20), 'header'],
  ['grains of 100 sectors', copy => copy.writeBigUInt64LE(100n, 20), 'header'],
  ['grains of 2^63 sectors', copy => copy.writeBigUInt64LE(1n << 63n, 20), 'header'],
  ['tables of 4 billion entries', copy => copy.writeUInt32LE(0xffffffff, 44), 'header'],
  ['an unknown compression', copy => copy.writeUInt16LE(2, 77), 'features'],
  ['its descriptor elsewhere', copy => copy.writeBigUInt64LE(2n, 28), 'descriptor'],
  ['a descriptor of 1 MiB', copy => copy.writeBigUInt64LE(2048n, 36), 'descriptor'],
  ['a descriptor of 2^73 bytes', copy => copy.writeBigUInt64LE(0xffffffffffffffffn, 36), 'descriptor'],
  ['a directory outside the file', copy => copy.writeBigUInt64LE(1n << 40n, 56), 'truncated'],
  ['a directory nowhere', copy => copy.writeBigUInt64LE(0n, 56), 'truncated'],
  ['more sectors than bytes can be counted', copy => copy.writeBigUInt64LE(1n << 60n, 12), 'virtual-size'],
];
for (const [what, change, rule] of headers) {
  test(`a header with ${what} is refused`, t => {
    t.true(broken('vmdk', patched(sparse, change)).includes(rule), broken('vmdk', patched(sparse, change)).join());
  });
}

test('a header without a descriptor is refused', t => {
  const bytes = patched(sparse, copy => copy.writeBigUInt64LE(0n, 36));
  t.is(refusal('vmdk', bytes), 'its descriptor of 0 bytes is none, or more than QEMU reads');
});

const footers: [what: string, file: Buffer][] = [
  ['is cut off', streamedVmdk().subarray(0, -512)],
  ['is missing', streamedVmdk().subarray(0, -1536)],
  ['has another capacity', streamedVmdk({change: footer => footer.writeBigUInt64LE(1n << 30n, 12)})],
  ['has another descriptor', streamedVmdk({change: footer => footer.writeBigUInt64LE(9n, 28)})],
  ['has another version', streamedVmdk({change: footer => footer.writeUInt32LE(1, 4)})],
  ['has another compression', streamedVmdk({change: footer => footer.writeUInt16LE(0, 77)})],
  ['has no directory', streamedVmdk({change: footer => footer.writeBigUInt64LE(0n, 56)})],
  ['has its directory outside the file', streamedVmdk({change: footer => footer.writeBigUInt64LE(1n << 60n, 56)})],
  ['is followed by something', patched(streamedVmdk(), copy => copy.writeUInt8(1, copy.length - 1))],
  ['has another marker', patched(streamedVmdk(), copy => copy.writeUInt8(2, copy.length - 1536 + 12))],
];
for (const [what, file] of footers) {
  test(`a footer that ${what} is refused`, t => t.deepEqual(broken('vmdk', file), ['footer']));
}

test('the kind of ESX 2 is refused, and does not pass as raw', t => {
  const bytes = Buffer.alloc(4096);
  bytes.write('COWD');
  t.deepEqual(broken('vmdk', bytes), ['subformat']);
  t.is(refusal('raw', bytes), 'its disk_format is raw, but it is vmdk');
});
