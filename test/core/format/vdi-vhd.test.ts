import test from 'ava';
import {fixedVhd, gpt, mbr, vhdFooter, withVhdChecksum} from './forge.ts';
import {broken, Images, inspect, judge, noise, patched, refusal} from './images.ts';

const images = new Images();
const size = 4 * 1024 * 1024;

const vdi = images.convert('vdi');

for (const [options, subformat] of [
  ['', 'dynamic'],
  ['static=on', 'static'],
] as const) {
  test(`a ${subformat} VDI is converted`, t => {
    const bytes = images.convert('vdi', options);
    t.like(judge('vdi', bytes), {ok: true, virtualSize: size, qemu: {driver: 'vdi', probed: 'vdi'}});
    t.is(inspect(bytes).detections[0]?.features['subformat'], subformat);
  });
}

const vdis: [what: string, change: (copy: Buffer) => void, rule: string][] = [
  ['version 1.0', copy => copy.writeUInt32LE(0x00010000, 0x44), 'version'],
  ['the kind of a snapshot', copy => copy.writeUInt32LE(4, 0x4c), 'subformat'],
  ['a parent', copy => copy.writeUInt8(1, 0x1b8), 'backing-file'],
  ['a link', copy => copy.writeUInt8(1, 0x1a8), 'backing-file'],
  ['sectors of 4096 bytes', copy => copy.writeUInt32LE(4096, 0x168), 'header'],
  ['blocks of 4 GiB', copy => copy.writeUInt32LE(0xffffffff, 0x178), 'header'],
  ['fewer blocks than its size', copy => copy.writeUInt32LE(1, 0x180), 'header'],
  ['more blocks in use than there are', copy => copy.writeUInt32LE(0xffffffff, 0x184), 'header'],
  ['4 billion blocks', copy => copy.writeUInt32LE(0xffffffff, 0x180), 'layout'],
  ['a block map in the header', copy => copy.writeUInt32LE(0, 0x154), 'layout'],
  ['data outside the file', copy => copy.writeUInt32LE(0xfffffe00, 0x158), 'truncated'],
  ['no bytes', copy => copy.writeBigUInt64LE(0n, 0x170), 'virtual-size'],
  ['2^64 bytes', copy => copy.writeBigUInt64LE(0xffffffffffffffffn, 0x170), 'virtual-size'],
];
for (const [what, change, rule] of vdis) {
  test(`a VDI with ${what} is refused`, t => {
    t.true(broken('vdi', patched(vdi, change)).includes(rule), broken('vdi', patched(vdi, change)).join());
  });
}

test('a VDI that is cut off is refused: QEMU would read zeros', t => {
  t.deepEqual(broken('vdi', vdi.subarray(0, -1)), ['truncated']);
});

test('a VDI that does not end at a sector is as large as QEMU sees it', t => {
  t.like(
    judge(
      'vdi',
      patched(vdi, copy => copy.writeBigUInt64LE(BigInt(size - 100), 0x170)),
    ),
    {virtualSize: size},
  );
});

const vhd = images.convert('vpc');
const forced = images.convert('vpc', 'force_size=on');

/** A change in both copies of the footer, with their checksums right. */
const refooted = (change: (footer: Buffer) => void) =>
  patched(forced, copy => {
    for (const footer of [copy.subarray(0, 512), copy.subarray(copy.length - 512)]) {
      change(footer);
      withVhdChecksum(footer, 64);
    }
  });
/** The same for the header of a dynamic disk. */
const reheaded = (change: (header: Buffer) => void) =>
  patched(forced, copy => {
    change(copy.subarray(512, 1536));
    withVhdChecksum(copy.subarray(512, 1536), 36);
  });

test('a dynamic VHD is as large as its geometry, unless its writer means the size', t => {
  const [cylinders, heads, sectors] = [vhd.readUInt16BE(56), vhd.readUInt8(58), vhd.readUInt8(59)];
  t.like(judge('vhd', vhd), {
    ok: true,
    virtualSize: cylinders * heads * sectors * 512,
    qemu: {driver: 'vpc', options: {force_size_calc: 'chs'}, probed: 'vpc'},
  });
  t.like(judge('vhd', forced), {ok: true, virtualSize: size, qemu: {options: {force_size_calc: 'current_size'}}});
  t.like(
    judge(
      'vhd',
      refooted(footer => footer.write('wa\0\0', 28, 'latin1')),
    ),
    {virtualSize: size},
  );
});

test('a fixed VHD is a raw disk with a footer, which QEMU alone would not notice', t => {
  for (const bytes of [
    images.convert('vpc', 'subformat=fixed'),
    images.convert('vpc', 'subformat=fixed,force_size=on'),
  ]) {
    t.like(judge('vhd', bytes), {ok: true, qemu: {driver: 'vpc', probed: 'raw'}});
    t.is(refusal('raw', bytes), 'its disk_format is raw, but it is vhd');
  }
  t.like(judge('vhd', fixedVhd(noise(8192))), {ok: true, virtualSize: 8192});
  t.like(judge('vhd', fixedVhd(gpt(8192))), {ok: true, virtualSize: 8192});
  t.like(judge('vhd', fixedVhd(mbr(8192))), {ok: true, virtualSize: 8192});
});

test('a fixed VHD around another format is refused', t => {
  for (const format of ['qcow2', 'vmdk', 'vdi']) {
    const bytes = fixedVhd(images.convert(format));
    t.regex(refusal('vhd', bytes), new RegExp(`it is ${format} as well: a file of two formats is refused`));
    t.regex(refusal(format, bytes), /it is vhd as well/);
  }
  t.regex(refusal('iso', fixedVhd(images.iso())), /it is vhd as well/);
});

test('a fixed VHD that holds less than its footer says is refused', t => {
  t.deepEqual(broken('vhd', fixedVhd(noise(8192), {size: 16384})), ['truncated']);
});

test('what only resembles a footer is the end of a raw disk', t => {
  const wrong = fixedVhd(noise(8192));
  wrong.writeUInt8(1, wrong.length - 1);
  t.true(judge('raw', wrong).ok);
  t.true(judge('raw', fixedVhd(noise(8192), {type: 3})).ok);
  t.regex(refusal('vhd', wrong), /no such signature/);
});

const vhds: [what: string, file: Buffer, rule: string][] = [
  ['the kind of a difference', refooted(footer => footer.writeUInt32BE(4, 60)), 'backing-file'],
  ['the kind of a fixed one at its start', refooted(footer => footer.writeUInt32BE(2, 60)), 'subformat'],
  ['an unknown kind', refooted(footer => footer.writeUInt32BE(77, 60)), 'subformat'],
  ['version 2', refooted(footer => footer.writeUInt32BE(0x00020000, 12)), 'version'],
  ['no bytes', refooted(footer => footer.writeBigUInt64BE(0n, 48)), 'virtual-size'],
  ['2^64 bytes', refooted(footer => footer.writeBigUInt64BE(0xffffffffffffffffn, 48)), 'virtual-size'],
  ['its header inside its footer', refooted(footer => footer.writeBigUInt64BE(0n, 16)), 'layout'],
  ['its header between sectors', refooted(footer => footer.writeBigUInt64BE(513n, 16)), 'layout'],
  ['its header outside the file', refooted(footer => footer.writeBigUInt64BE(1n << 62n, 16)), 'truncated'],
  ['another header', reheaded(header => header.write('cxsparsy', 0)), 'header'],
  ['blocks of no bytes', reheaded(header => header.writeUInt32BE(0, 32)), 'header'],
  ['blocks of 1000 bytes', reheaded(header => header.writeUInt32BE(1000, 32)), 'header'],
  ['a table of no entries', reheaded(header => header.writeUInt32BE(0, 28)), 'layout'],
  ['a table of 4 billion entries', reheaded(header => header.writeUInt32BE(0xffffffff, 28)), 'truncated'],
  ['a table outside the file', reheaded(header => header.writeBigUInt64BE(1n << 62n, 16)), 'truncated'],
  ['a table between sectors', reheaded(header => header.writeBigUInt64BE(1n, 16)), 'layout'],
  ['a wrong checksum', patched(vhd, copy => copy.writeUInt8(1, 500)), 'corrupt'],
  ['a wrong checksum of its header', patched(vhd, copy => copy.writeUInt8(1, 1500)), 'corrupt'],
  ['no footer', vhd.subarray(0, -512), 'truncated'],
];
for (const [what, file, rule] of vhds) {
  test(`a VHD with ${what} is refused`, t => t.true(broken('vhd', file).includes(rule), broken('vhd', file).join()));
}

test('a size that is not of whole sectors is cut, as QEMU does', t => {
  t.like(
    judge(
      'vhd',
      refooted(footer => footer.writeBigUInt64BE(BigInt(size - 100), 48)),
    ),
    {virtualSize: size - 512},
  );
});

test('the largest geometry there is means that the size counts', t => {
  const content = noise(8192);
  t.like(judge('vhd', fixedVhd(content, {creator: 'vpc '})), {virtualSize: 8192});
  const footer = vhdFooter({creator: 'vpc ', size: 8192, cylinders: 2, heads: 2, sectors: 3});
  t.like(judge('vhd', Buffer.concat([content, footer])), {virtualSize: 12 * 512});
});
