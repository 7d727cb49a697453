import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {convert} from '../../src/convert/convert.ts';
import {convertLimits} from '../../src/convert/limits.ts';
import {progressReader} from '../../src/convert/progress.ts';
import type {RbdTarget} from '../../src/convert/rbd-url.ts';
import {CellarError} from '../../src/core/errors.ts';
import type {ConvertedFormat} from '../../src/core/format/index.ts';
import {fixedVhd, mbr, streamedVmdk} from '../core/format/forge.ts';
import {disk, Images, noise, qemuImg} from '../core/format/images.ts';
import {compareDisk} from '../helpers/bytes.ts';
import {cellCluster} from '../lab/shared.ts';
import {expected, never} from './setup.ts';

const cluster = cellCluster();
const images = new Images();
let pool = '';
test.before(async () => {
  pool = await cluster.createPool('convert');
});
test.after.always(async () => {
  if (pool !== '') await cluster.removePool(pool);
});

let files = 0;

/** A file of this format, and the new image it goes to. */
async function prepare(declared: ConvertedFormat, bytes: Buffer, {image = `image-${files}`, size = 0} = {}) {
  const source = images.write(`source-${files++}`, bytes);
  const verdict = expected(declared, bytes);
  await cluster.rbd('create', '--pool', pool, '--image', image, '--size', `${size || verdict.virtualSize}B`);
  const target: RbdTarget = {
    pool,
    image,
    user: 'admin',
    conf: cluster.conf,
    connectTimeout: 5,
    osdOpTimeout: 30,
    monOpTimeout: 10,
  };
  return {source, verdict, target, qemu: verdict.qemu};
}

async function fails(t: ExecutionContext, work: Promise<unknown>): Promise<CellarError> {
  const error = await t.throwsAsync(work, {instanceOf: CellarError});
  if (error === undefined) throw new Error('it did not fail');
  return error;
}

const kinds: [what: string, declared: ConvertedFormat, bytes: () => Buffer][] = [
  ['qcow2', 'qcow2', () => images.convert('qcow2')],
  ['qcow2, version 2', 'qcow2', () => images.convert('qcow2', 'compat=0.10')],
  ['qcow2, compressed by zstd', 'qcow2', () => images.convert('qcow2', 'compression_type=zstd', '-c')],
  ['qcow2 with clusters of 512 bytes', 'qcow2', () => images.convert('qcow2', 'cluster_size=512')],
  ['VMDK, monolithicSparse', 'vmdk', () => images.convert('vmdk')],
  ['VMDK, streamOptimized', 'vmdk', () => images.convert('vmdk', 'subformat=streamOptimized')],
  ['VMDK with a footer', 'vmdk', () => streamedVmdk()],
  ['VDI', 'vdi', () => images.convert('vdi')],
  ['VDI, static', 'vdi', () => images.convert('vdi', 'static=on')],
  ['VHD', 'vhd', () => images.convert('vpc')],
  ['VHD by its size', 'vhd', () => images.convert('vpc', 'force_size=on')],
  ['VHD, fixed', 'vhd', () => images.convert('vpc', 'subformat=fixed')],
  ['VHD, fixed, with a partition table', 'vhd', () => fixedVhd(Buffer.concat([mbr(4096), noise(1 << 20)]))],
  ['VHDX', 'vhdx', () => images.convert('vhdx')],
  ['VHDX, fixed', 'vhdx', () => images.convert('vhdx', 'subformat=fixed')],
];
for (const [what, declared, bytes] of kinds) {
  test.serial(`${what}: the image has the bytes that qemu-img writes to a file`, async t => {
    const {source, target, qemu, verdict} = await prepare(declared, bytes());
    const steps: number[] = [];
    await convert({source, qemu, target, limits: convertLimits, signal: never, onProgress: done => steps.push(done)});
    const raw = images.path('expected.raw');
    qemuImg('convert', '-f', qemu.driver, '-O', 'raw', source, raw);
    t.deepEqual(await compareDisk(cluster.conf, `${pool}/${target.image}`, raw), {
      identical: true,
      size: verdict.virtualSize,
    });
    t.is(steps.at(-1), 1);
    t.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    );
  });
}

test.serial('runs of zeros take no room in the pool', async t => {
  const {source, target, qemu} = await prepare(
    'qcow2',
    new Images(Buffer.concat([noise(8 << 20), Buffer.alloc(56 << 20)])).convert('qcow2', 'preallocation=full'),
  );
  await convert({source, qemu, target, limits: convertLimits, signal: never});
  const [usage] = JSON.parse(
    await cluster.rbd('du', '--format', 'json', '--pool', pool, '--image', target.image),
  ).images;
  t.is(usage.provisioned_size, 64 << 20);
  t.is(usage.used_size, 8 << 20);
});

test.serial('names that would be something else in a URL are only names', async t => {
  const {source, target, qemu} = await prepare('qcow2', images.convert('qcow2'), {image: 'a:id=b\\c=d'});
  await convert({source, qemu, target, limits: convertLimits, signal: never});
  const read = `${pool}/a:id=b\\c=d`;
  t.like(await compareDisk(cluster.conf, read, images.write('expected.raw', disk())), {identical: true});
});

test.serial('an image that is larger keeps zeros behind the disk', async t => {
  const {source, target, qemu} = await prepare('qcow2', images.convert('qcow2'), {size: 8 << 20});
  await convert({source, qemu, target, limits: convertLimits, signal: never});
  t.like(await compareDisk(cluster.conf, `${pool}/${target.image}`, images.raw), {identical: true, size: 8 << 20});
});

test.serial('an image that is smaller is no target', async t => {
  const {source, target, qemu} = await prepare('qcow2', images.convert('qcow2'), {size: 1 << 20});
  const error = await fails(t, convert({source, qemu, target, limits: convertLimits, signal: never}));
  t.regex(error.message, /smaller/);
});

/** 96 MiB of random data: long enough to be interrupted. */
const large = () => new Images(randomBytes(96 << 20)).convert('qcow2');

test.serial('an abort ends it at once, and its reason is thrown', async t => {
  const {source, target, qemu} = await prepare('qcow2', large());
  const abort = new AbortController();
  const reason = new Error('the caller went away');
  let last = 0;
  const running = convert({
    source,
    qemu,
    target,
    limits: convertLimits,
    signal: abort.signal,
    onProgress: done => {
      last = done;
      if (done > 0.05) abort.abort(reason);
    },
  });
  t.is(await t.throwsAsync(running), reason);
  t.true(last > 0.05 && last < 1, `${last}`);
});

test.serial('at a limit it is ended, with words that name it', async t => {
  const {source, target, qemu} = await prepare('qcow2', images.convert('qcow2'));
  const run = (limits: Partial<typeof convertLimits>) =>
    fails(t, convert({source, qemu, target, limits: {...convertLimits, ...limits}, signal: never}));
  const late = await run({timeout: 1});
  t.is(late.kind, 'unacceptable');
  t.regex(late.message, /ended: it ran for more than 0.001 s$/);
  const little = await run({addressSpace: 256 * 2 ** 20});
  t.is(little.kind, 'unacceptable');
  t.regex(little.message, /ended: it needed more memory/);
});

test.serial('a source that cannot be read is unacceptable', async t => {
  const bytes = images.convert('vmdk', 'subformat=streamOptimized');
  const {source, target, qemu} = await prepare('vmdk', bytes);
  images.write(source.slice(images.directory.length + 1), bytes.fill(0x55, 128 * 1024, 128 * 1024 + 60_000));
  const error = await fails(t, convert({source, qemu, target, limits: convertLimits, signal: never}));
  t.is(error.kind, 'unacceptable', error.message);
});

test.serial(
  'a user without rights, an image that is not there, a cluster that is not there: try again elsewhere',
  async t => {
    const {source, target, qemu} = await prepare('qcow2', images.convert('qcow2'));
    const {user} = await cluster.addUser(`reader-${randomBytes(4).toString('hex')}`, {
      mon: 'profile rbd',
      osd: `profile rbd-read-only pool=${pool}`,
    });
    for (const change of [{user}, {image: 'none'}, {pool: 'none'}, {user: 'nobody'}, {conf: '/nowhere/ceph.conf'}]) {
      const error = await fails(
        t,
        convert({source, qemu, target: {...target, ...change}, limits: convertLimits, signal: never}),
      );
      t.is(error.kind, 'unavailable', `${JSON.stringify(change)}: ${error.message}`);
      t.regex(error.message, /^the conversion into .* failed: qemu-img: /);
    }
  },
);

test('progress is read however its text is cut', t => {
  const text = '    (0.00/100%)\r    (1.04/100%)\r    (99.99/100%)\r    (100.00/100%)\r\n';
  for (let size = 1; size < text.length; size++) {
    const seen: number[] = [];
    const read = progressReader(done => seen.push(done));
    for (let at = 0; at < text.length; at += size) read(text.slice(at, at + size));
    t.is(seen.at(-1), 1, `in pieces of ${size}`);
    t.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  }
});
