import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {cleanEnv} from '../../lab/run.ts';
import {fixedVhd, gpt, mbr, streamedVmdk, vhdFooter} from './forge.ts';
import {Images, judge, noise, patched, qemuImg} from './images.ts';

const images = new Images();
const qcow2 = images.convert('qcow2');
const vmdk = images.convert('vmdk');
const vdi = images.convert('vdi');
const vhdx = images.convert('vhdx');
const iso = images.iso();
const size = 4 * 1024 * 1024;

const snapshots = (): Buffer => {
  const path = images.write('snapshots.qcow2', qcow2);
  qemuImg('snapshot', '-c', 'one', path);
  return readFileSync(path);
};
const udfAlone = (): Buffer => {
  const bytes = Buffer.alloc(100_000);
  for (const [n, name] of ['BEA01', 'NSR03', 'TEA01'].entries()) bytes.write(name, (16 + n) * 2048 + 1);
  return bytes;
};
const padded = (start: string): Buffer => Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(100_000)]);
const described = (change: (text: string) => string): Buffer => {
  const text = vmdk.toString('latin1', 512, 512 + 20 * 512).replace(/\0+$/, '');
  return patched(vmdk, copy => copy.fill(0, 512, 512 + 20 * 512).write(change(text), 512, 'latin1'));
};

/** Both refuse, or both accept. */
const alike: [what: string, declared: string, bytes: Buffer][] = [
  ['raw', 'raw', noise(100_000)],
  ['raw, zeros', 'raw', Buffer.alloc(100_000)],
  ['raw, 513 bytes', 'raw', noise(513)],
  ['raw with an MBR', 'raw', mbr(1 << 20)],
  ['raw with a GPT', 'raw', gpt(1 << 20)],
  ['ISO', 'iso', iso],
  ['ISO with UDF', 'iso', images.iso('-udf')],
  ['ISO with a GPT', 'iso', patched(iso, copy => gpt(2048).copy(copy))],
  ['qcow2', 'qcow2', qcow2],
  ['qcow2, version 2', 'qcow2', images.convert('qcow2', 'compat=0.10')],
  ['qcow2, compressed', 'qcow2', images.convert('qcow2', '', '-c')],
  ['qcow2, zstd', 'qcow2', images.convert('qcow2', 'compression_type=zstd', '-c')],
  ['qcow2, lazy counts', 'qcow2', images.convert('qcow2', 'lazy_refcounts=on')],
  ['qcow2, dirty', 'qcow2', patched(qcow2, copy => copy.writeUInt8(1, 79))],
  ['qcow2, snapshots', 'qcow2', snapshots()],
  ['VMDK, monolithicSparse', 'vmdk', vmdk],
  ['VMDK, streamOptimized', 'vmdk', images.convert('vmdk', 'subformat=streamOptimized')],
  ['VDI', 'vdi', vdi],
  ['VDI, static', 'vdi', images.convert('vdi', 'static=on')],
  ['VHD, dynamic', 'vhd', images.convert('vpc')],
  ['VHDX', 'vhdx', vhdx],
  ['VHDX, fixed', 'vhdx', images.convert('vhdx', 'subformat=fixed')],

  ['qcow2 with a backing file', 'qcow2', images.create('qcow2', '', '', '-b', images.raw, '-F', 'raw')],
  ['qcow2 with a data file', 'qcow2', images.create('qcow2', '4M', `data_file=${images.path('data')}`)],
  [
    'qcow2 with a raw data file',
    'qcow2',
    images.create('qcow2', '4M', `data_file=${images.path('data')},data_file_raw=on`),
  ],
  ['qcow2 with subclusters', 'qcow2', images.convert('qcow2', 'extended_l2=on')],
  ['qcow2 with bit 63', 'qcow2', patched(qcow2, copy => copy.writeUInt8(0x80, 72))],
  [
    'qcow2, version 2, with extensions',
    'qcow2',
    patched(images.convert('qcow2', 'compat=0.10'), c => c.writeUInt32BE(0x12345678, 72)),
  ],
  ['qcow version 1 as raw', 'raw', padded('QFI\xfb\0\0\0\x01')],
  ['QED', 'qed', images.convert('qed')],
  ['QED as raw', 'raw', images.convert('qed')],
  ['VMDK, monolithicFlat', 'vmdk', images.create('vmdk', '4M', 'subformat=monolithicFlat')],
  ['VMDK, twoGbMaxExtentSparse', 'vmdk', images.create('vmdk', '4M', 'subformat=twoGbMaxExtentSparse')],
  ['VMDK with a path', 'vmdk', described(text => text.replace(/"[^"]*vmdk"/, '"/etc/passwd"'))],
  ['VMDK with a strange line', 'vmdk', described(text => `${text}\nwhat is this\n`)],
  ['VMDK without extents', 'vmdk', described(text => text.replace(/^RW .*$/m, ''))],
  ['VMDK, version 4', 'vmdk', patched(vmdk, copy => copy.writeUInt32LE(4, 4))],
  ['VMDK, its descriptor elsewhere', 'vmdk', patched(vmdk, copy => copy.writeBigUInt64LE(2n, 28))],
  ['VHDX without a table of regions', 'vhdx', patched(vhdx, copy => copy.write('xxxx', 192 * 1024))],
  ...(['qcow2', 'vmdk', 'vdi', 'vhdx', 'vhd', 'iso', 'qed', 'ploop'] as const).map(
    declared => [`raw as ${declared}`, declared, noise(100_000)] as [string, string, Buffer],
  ),
  ...Object.entries({qcow2, vmdk, vdi, vhdx, iso}).flatMap(([format, bytes]) =>
    ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx', 'iso']
      .filter(declared => declared !== format)
      .map(declared => [`${format} as ${declared}`, declared, bytes] as [string, string, Buffer]),
  ),
  ['qcow2 and ISO, as qcow2', 'qcow2', patched(qcow2, copy => iso.copy(copy, 32768, 32768, 40960))],
  ['qcow2 and ISO, as ISO', 'iso', patched(qcow2, copy => iso.copy(copy, 32768, 32768, 40960))],
];

/** We refuse what Nova of this release takes: why we do. */
const stricter: [what: string, declared: string, bytes: Buffer, reason: string][] = [
  [
    'an AMI',
    'ami',
    noise(100_000),
    'a disk in three images: no Nova on Ceph clones one, and its parts have no format to hold them to',
  ],
  ['an ISO as AMI', 'ami', iso, 'the same'],
  ['LUKS as raw', 'raw', padded('LUKS\xba\xbe\0\x01'), 'newer releases of Nova, and QEMU, take it for luks'],
  [
    'a fixed VHD as raw',
    'raw',
    fixedVhd(noise(100_352)),
    'its last sector is a footer, no part of the disk: it has to be declared as VHD',
  ],
  [
    'UDF alone as raw',
    'raw',
    udfAlone(),
    'it is a disc as much as one of ISO 9660; Nova looks at the first descriptor only',
  ],
  ['qcow2, encrypted', 'qcow2', patched(qcow2, copy => copy.writeUInt32BE(1, 32)), 'nobody has its key'],
  [
    'qcow2, marked corrupt',
    'qcow2',
    patched(qcow2, copy => copy.writeUInt8(2, 79)),
    'QEMU itself says that its data may be wrong',
  ],
  ['qcow2 of no bytes', 'qcow2', patched(qcow2, copy => copy.writeBigUInt64BE(0n, 24)), 'no disk has no bytes'],
  ['qcow2 of 2^63 bytes', 'qcow2', patched(qcow2, copy => copy.writeBigUInt64BE(1n << 63n, 24)), 'a size bomb'],
  [
    'qcow2, version 4',
    'qcow2',
    patched(qcow2, copy => copy.writeUInt32BE(4, 4)),
    'QEMU knows 2 and 3; Nova leaves that to QEMU',
  ],
  [
    'qcow2, its L1 table outside',
    'qcow2',
    patched(qcow2, copy => copy.writeBigUInt64BE(1n << 40n, 40)),
    'it is cut off',
  ],
  [
    'VMDK without a capacity',
    'vmdk',
    patched(vmdk, copy => copy.writeBigUInt64LE(0n, 12)),
    'QEMU would open what its descriptor names',
  ],
  [
    'VMDK with a parent',
    'vmdk',
    described(text => `${text}\nparentFileNameHint="x"\n`),
    'QEMU would open the parent; Nova leaves that to a look at its info',
  ],
  [
    'VMDK with a flat extent',
    'vmdk',
    described(text => text.replace('SPARSE', 'FLAT')),
    'a sparse one is the only kind in one file',
  ],
  [
    'VDI with a parent',
    'vdi',
    patched(vdi, copy => copy.writeUInt8(1, 0x1b8)),
    'it is a difference; Nova leaves that to QEMU',
  ],
  ['VDI, cut off', 'vdi', vdi.subarray(0, -512), 'QEMU would read zeros without a word'],
  [
    'VHD, differencing',
    'vhd',
    padded(vhdFooter({type: 4}).toString('latin1')),
    'it has a parent; Nova leaves that to QEMU',
  ],
  ['VHD, damaged', 'vhd', patched(images.convert('vpc'), copy => copy.writeUInt8(1, 500)), 'its checksum says so'],
  [
    'VHDX with damaged headers',
    'vhdx',
    patched(vhdx, copy => copy.fill(1, 64 * 1024, 192 * 1024)),
    'there is nothing left to go by; Nova leaves that to QEMU',
  ],
];

/** We accept what Nova of this release refuses: why that is safe. */
const looser: [what: string, declared: string, bytes: Buffer, reason: string][] = [
  [
    'VHD, fixed',
    'vhd',
    fixedVhd(noise(size)),
    "its only mark is at its end, where Nova's inspector does not look; a raw disk and a footer can name no other file",
  ],
  [
    'VMDK with a footer',
    'vmdk',
    streamedVmdk(),
    'VMware streams it so; the footer is held against the header, as newer releases of oslo.utils do',
  ],
  ['UDF alone as ISO', 'iso', udfAlone(), 'its bytes are kept as they are: nothing on the host reads them'],
];

const cases = [...alike, ...stricter, ...looser].map(([, declared, bytes], n) => [
  declared,
  images.write(`case-${n}`, bytes),
]);

test('on every kind of file we say what the real Nova says, or the table says why not', t => {
  const driver = fileURLToPath(new URL('nova_driver.py', import.meta.url));
  const {status, stdout, stderr} = spawnSync('/usr/bin/python3', [driver], {
    input: JSON.stringify(cases),
    env: cleanEnv(),
    encoding: 'utf8',
  });
  if (status !== 0) return t.fail(`python3-nova is needed: ${stderr}`);
  const verdicts: (string | null)[] = JSON.parse(stdout);
  t.is(verdicts.length, alike.length + stricter.length + looser.length);

  const expected = [...alike.map(() => undefined), ...stricter.map(() => 'yes, no'), ...looser.map(() => 'no, yes')];
  const wrong = [...alike, ...stricter, ...looser].flatMap(([what, declared, bytes], n) => {
    const ours = judge(declared, bytes);
    const [novas, said] = [
      verdicts[n] === null ? 'yes' : 'no',
      `${what}: Nova says ${verdicts[n] ?? 'yes'}, we say ${ours.why}`,
    ];
    const answer = `${novas}, ${ours.ok ? 'yes' : 'no'}`;
    return answer === (expected[n] ?? `${novas}, ${novas}`) ? [] : [said];
  });
  t.deepEqual(wrong, []);
});

test('the first part of the table has as many that are taken as it says', t => {
  t.is(alike.filter(([, declared, bytes]) => judge(declared, bytes).ok).length, 22);
});
