import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import test from 'ava';
import {checkWithQemu} from '../../src/convert/check.ts';
import {checkLimits as limits} from '../../src/convert/limits.ts';
import type {ConvertedFormat, QemuView} from '../../src/core/format/index.ts';
import {streamedVmdk, vhdFooter} from '../core/format/forge.ts';
import {Images, inspect, noise, patched, qemuImg} from '../core/format/images.ts';
import {cleanEnv} from '../lab/run.ts';
import {agree} from './agree.ts';
import {expected, never as signal, withFakeQemuImg} from './setup.ts';

const images = new Images();
let files = 0;

const ask = (
  declared: ConvertedFormat,
  bytes: Buffer,
  change: {virtualSize?: number; qemu?: Partial<QemuView>} = {},
) => {
  const verdict = expected(declared, bytes);
  const qemu = {...verdict.qemu, ...change.qemu};
  const path = images.write(`check-${files++}`, bytes);
  return checkWithQemu({
    path,
    expected: {virtualSize: change.virtualSize ?? verdict.virtualSize, qemu},
    limits,
    signal,
  });
};

const snapshots = (): Buffer => {
  const path = images.write('snapshots.qcow2', images.convert('qcow2'));
  qemuImg('snapshot', '-c', 'one', path);
  return readFileSync(path);
};

const azure = (): Buffer => {
  const footer = vhdFooter({creator: 'wa\0\0', size: 1 << 20, cylinders: 2, heads: 2, sectors: 3});
  return Buffer.concat([noise(1 << 20), footer]);
};

const good: [what: string, declared: ConvertedFormat, bytes: () => Buffer][] = [
  ['qcow2', 'qcow2', () => images.convert('qcow2')],
  ['qcow2, version 2', 'qcow2', () => images.convert('qcow2', 'compat=0.10')],
  ['qcow2, compressed by zstd', 'qcow2', () => images.convert('qcow2', 'compression_type=zstd', '-c')],
  ['qcow2 with small clusters', 'qcow2', () => images.convert('qcow2', 'cluster_size=512')],
  ['qcow2 with snapshots', 'qcow2', snapshots],
  ['VMDK, monolithicSparse', 'vmdk', () => images.convert('vmdk')],
  ['VMDK, streamOptimized', 'vmdk', () => images.convert('vmdk', 'subformat=streamOptimized')],
  ['VMDK with a footer', 'vmdk', () => streamedVmdk()],
  ['VDI', 'vdi', () => images.convert('vdi')],
  ['VDI, static', 'vdi', () => images.convert('vdi', 'static=on')],
  ['VDI, empty', 'vdi', () => images.create('vdi', '4M')],
  ['VHD', 'vhd', () => images.convert('vpc')],
  ['VHD by its size', 'vhd', () => images.convert('vpc', 'force_size=on')],
  ['VHD, fixed', 'vhd', () => images.convert('vpc', 'subformat=fixed')],
  ['VHD, fixed, of Azure: its size counts, whatever this QEMU would think', 'vhd', azure],
  ['VHDX', 'vhdx', () => images.convert('vhdx')],
  ['VHDX, fixed', 'vhdx', () => images.convert('vhdx', 'subformat=fixed')],
];
for (const [what, declared, bytes] of good) {
  test.serial(`QEMU sees what we see: ${what}`, async t => t.deepEqual(await ask(declared, bytes()), {ok: true}));
}

test.serial('another size than ours is a no', async t => {
  t.deepEqual(await ask('qcow2', images.convert('qcow2'), {virtualSize: 4096}), {
    ok: false,
    why: 'its disk has 4096 bytes by its header, but 4194304 for QEMU',
  });
});

test.serial('what QEMU finds by itself must be what we found', async t => {
  t.deepEqual(await ask('vhd', images.convert('vpc', 'subformat=fixed'), {qemu: {probed: 'vpc'}}), {
    ok: false,
    why: 'it is vpc by its header, but QEMU takes it for raw',
  });
});

test.serial('what QEMU cannot read is a no in its words, without the path', async t => {
  const vhd = images.convert('vpc', 'force_size=on');
  const lost = patched(vhd, copy => copy.writeUInt32BE(0x7fffffff, 1536));
  const opinion = await ask('vhd', lost);
  t.false(opinion.ok);
  t.is(
    opinion.ok ? '' : opinion.why,
    'QEMU cannot read it: block-vpc: free_data_block_offset points after the end of file. The image has been truncated.',
  );
});

test.serial('a file that lost its end is a no, where QEMU alone would read zeros', async t => {
  for (const [declared, bytes] of [
    ['qcow2', images.convert('qcow2')],
    ['vmdk', images.convert('vmdk')],
  ] as const) {
    const cut = bytes.subarray(0, bytes.length - 262_144);
    const opinion = await ask(declared, cut);
    t.regex(opinion.ok ? '' : opinion.why, /^it is damaged or cut off: QEMU c/, declared);
    const path = images.write('cut', cut);
    t.notThrows(() => qemuImg('convert', '-f', declared, '-O', 'raw', path, images.path('zeros')), 'QEMU by itself');
  }
});

test.serial('a qcow2 that was not closed is fine: its counts are wrong, its data is not', async t => {
  const path = images.write('dirty.qcow2', images.create('qcow2', '4M', 'lazy_refcounts=on'));
  spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 1M', '-c', 'flush', '-c', 'abort', path], {env: cleanEnv()});
  const bytes = readFileSync(path);
  const verdict = expected('qcow2', bytes);
  t.is(inspect(bytes).detections[0]?.features['dirty'], true);
  t.throws(() => qemuImg('check', '-f', 'qcow2', path), undefined, 'QEMU finds errors, which are none');
  t.deepEqual(await checkWithQemu({path, expected: verdict, limits, signal}), {ok: true});
});

test.serial('at a limit it is a no that says which', async t => {
  const path = images.write('limited', images.convert('qcow2'));
  const asked = {path, expected: expected('qcow2', images.convert('qcow2')), signal};
  t.deepEqual(await checkWithQemu({...asked, limits: {...limits, timeout: 1}}), {
    ok: false,
    why: 'QEMU could not look at it: it ran for more than 0.001 s',
  });
});

const hostile: [what: string, declared: ConvertedFormat, bytes: () => Buffer][] = [
  [
    'a data file',
    'qcow2',
    () => {
      const bytes = images.create('qcow2', '4M', `data_file=${images.path('data-file-name')}`);
      // the name in the header is what QEMU would open
      const at = bytes.indexOf('data-file-name') - `${images.directory}/`.length;
      bytes.fill(0, at, at + `${images.directory}/data-file-name`.length).write('/etc/passwd', at);
      return bytes;
    },
  ],
  ['a backing file', 'qcow2', () => images.create('qcow2', '4M', '', '-b', '/etc/passwd', '-F', 'raw')],
  [
    'a flat extent',
    'vmdk',
    () => Buffer.from('# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n'),
  ],
  [
    'an envelope',
    'vmdk',
    () =>
      patched(
        streamedVmdk({
          descriptor: '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n',
        }),
        copy => copy.writeBigUInt64LE(0n, 12),
      ),
  ],
];
for (const [what, declared, bytes] of hostile) {
  test.serial(`${what} at /etc/passwd never reaches qemu-img`, async t => {
    const file = bytes();
    t.true(file.includes('/etc/passwd'));
    const path = images.write('hostile', file);
    const fine = images.convert('qcow2');
    await withFakeQemuImg('echo called >&2; exit 1', async () => {
      const asked = {declared: 'qcow2', report: inspect(fine), path, limits, signal};
      t.is((await agree(asked)).why, 'QEMU cannot read it: called'); // so we would notice
      for (const as of [declared, 'raw']) {
        const verdict = await agree({...asked, declared: as, report: inspect(file)});
        t.false(verdict.ok);
        t.notRegex(verdict.why, /called/);
      }
    });
  });
}

test.serial('declared, found and seen agree, or it is a no', async t => {
  const qcow2 = images.convert('qcow2');
  const path = images.write('agree', qcow2);
  t.like(await agree({declared: 'qcow2', report: inspect(qcow2), path, limits, signal}), {ok: true, store: 'convert'});
  t.like(await agree({declared: 'raw', report: inspect(noise(4096)), path: '/nowhere', limits, signal}), {
    ok: true,
    store: 'as-is',
  });
  const cut = qcow2.subarray(0, qcow2.length - 262_144);
  t.like(await agree({declared: 'qcow2', report: inspect(cut), path: images.write('cut', cut), limits, signal}), {
    ok: false,
  });
});
