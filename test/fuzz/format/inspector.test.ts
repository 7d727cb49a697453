import {appendFileSync, readFileSync} from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import {Inspector, judgeFormat, type Report, servedFormats} from '../../../src/core/format/index.ts';
import {fixedVhd, gpt, streamedVmdk, withVhdChecksum, withVhdxChecksum} from '../../core/format/forge.ts';
import {Images, inspect, noise} from '../../core/format/images.ts';

const KiB = 1024;
const bound = 1.2 * KiB * KiB;
/** How long it goes on: 5 s beside the other tests, longer in a run of its own. */
const seconds = Number(process.env['CELLAR_FUZZ_SECONDS'] ?? 5);

const images = new Images(noise(300 * KiB));
const bases: Record<string, Buffer> = {
  qcow2: images.convert('qcow2'),
  qcow2v2: images.convert('qcow2', 'compat=0.10,cluster_size=512'),
  vmdk: images.convert('vmdk'),
  streamed: streamedVmdk(),
  text: images.create('vmdk', '4M', 'subformat=monolithicFlat'),
  vdi: images.create('vdi', '4M'),
  vhd: images.create('vpc', '4M'),
  fixed: fixedVhd(noise(70_000)),
  vhdx: images.create('vhdx', '4M').subarray(0, 4 * KiB * KiB),
  iso: images.iso('-udf'),
  gpt: gpt(70_000),
};

/** Places where headers are; a negative one counts from the end. */
const places = [
  0,
  16,
  40,
  56,
  64,
  72,
  96,
  112,
  256,
  512,
  1024,
  0x154,
  0x170,
  0x1a8,
  446,
  16 * 2048,
  17 * 2048,
  64 * KiB,
  128 * KiB,
  192 * KiB,
  3072 * KiB,
  3136 * KiB,
  -512,
  -1024,
  -1536,
];
const numbers = [
  0n,
  1n,
  2n,
  0x7fn,
  0xffn,
  0x1ffn,
  0x200n,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 32n,
  (1n << 53n) + 1n,
  1n << 62n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

const change = fc.record({
  place: fc.constantFrom(...places),
  shift: fc.nat(120),
  width: fc.constantFrom(1, 2, 4, 8),
  big: fc.boolean(),
  value: fc.oneof(fc.constantFrom(...numbers), fc.bigInt({min: 0n, max: (1n << 64n) - 1n})).map(String),
});

const mutant = fc.record({
  base: fc.constantFrom(...Object.keys(bases)),
  changes: fc.array(change, {maxLength: 6}),
  /** Another's start over this one's. */
  graft: fc.option(
    fc.record({from: fc.constantFrom(...Object.keys(bases)), place: fc.constantFrom(...places), length: fc.nat(4096)}),
    {nil: null},
  ),
  /** Which part is kept; null: all of it. */
  cut: fc.option(fc.oneof(fc.nat(2048), fc.nat(300 * KiB), fc.nat(5 * KiB * KiB)), {nil: null}),
  /** Checksums right again, so that what lies behind them is reached. */
  honest: fc.boolean(),
  sizes: fc.array(fc.integer({min: 1, max: 100_000}), {minLength: 1, maxLength: 4}),
});
type Mutant = typeof mutant extends fc.Arbitrary<infer M> ? M : never;

function build({base, changes, graft, cut, honest}: Mutant): Buffer {
  const bytes = Buffer.from(bases[base] ?? '');
  const at = (place: number) => Math.max(0, place < 0 ? bytes.length + place : place);
  if (graft !== null) bases[graft.from]?.copy(bytes, Math.min(at(graft.place), bytes.length), 0, graft.length);
  for (const {place, shift, width, big, value} of changes) {
    const field = Buffer.alloc(8);
    if (big) field.writeBigUInt64BE(BigInt(value));
    else field.writeBigUInt64LE(BigInt(value));
    const offset = at(place) + shift;
    if (offset + width <= bytes.length)
      (big ? field.subarray(8 - width) : field.subarray(0, width)).copy(bytes, offset);
  }
  const kept = bytes.subarray(0, cut ?? bytes.length);
  if (honest) repair(kept);
  return kept;
}

function repair(bytes: Buffer): void {
  const part = (start: number, length: number) => bytes.subarray(start, start + length);
  if (bytes.toString('latin1', 0, 8) === 'conectix' && bytes.length > 2048) {
    withVhdChecksum(part(0, 512), 64);
    withVhdChecksum(part(512, 1024), 36);
  }
  if (bytes.toString('latin1', 0, 8) === 'vhdxfile' && bytes.length > 256 * KiB) {
    for (const [start, length] of [
      [64 * KiB, 4096],
      [128 * KiB, 4096],
      [192 * KiB, 64 * KiB],
    ] as const)
      withVhdxChecksum(part(start, length));
  }
  const end = bytes.length - 512;
  if (end > 0 && bytes.toString('latin1', end, end + 8) === 'conectix') withVhdChecksum(part(end, 512), 64);
}

/** Whatever came: it is a report, within bounds, that makes sense, and the same however it is cut. */
function holds(mutant: Mutant): void {
  const bytes = build(mutant);
  const inspector = new Inspector();
  let most = 0;
  for (let start = 0, step = 0; start < bytes.length; step++) {
    const size = mutant.sizes[step % mutant.sizes.length] ?? 1;
    inspector.push(bytes.subarray(start, start + size));
    most = Math.max(most, inspector.held);
    for (const declared of ['raw', 'iso', mutant.base]) inspector.early(declared);
    start += size;
    if (size < 512 && step > 4000) mutant.sizes[0] = 65_536; // what comes byte by byte for ever only costs time
  }
  const report = inspector.finish();
  if (most > bound) throw new Error(`it held ${most} bytes`);
  sane(report);
  const whole = JSON.stringify(inspect(bytes));
  if (JSON.stringify(report) !== whole) throw new Error(`cut: ${JSON.stringify(report)}, whole: ${whole}`);
}

function sane(report: Report): void {
  for (const {virtualSize, findings} of report.detections) {
    if (virtualSize !== undefined && !(Number.isSafeInteger(virtualSize) && virtualSize >= 0))
      throw new Error(`a disk of ${virtualSize} bytes`);
    if (findings.some(({why}) => why === '' || why.length > 300)) throw new Error(`words: ${JSON.stringify(findings)}`);
  }
  for (const declared of servedFormats) {
    const verdict = judgeFormat(declared, report);
    if (verdict.why === '') throw new Error('a verdict without a reason');
    if (verdict.ok && (verdict.virtualSize <= 0 || (verdict.store === 'convert' && verdict.virtualSize % 512 !== 0)))
      throw new Error(`${declared} of ${verdict.virtualSize} bytes passes`);
  }
}

/** One file a line: one of each combination of formats and rules that was met, and whatever ever failed. */
const seedFile = new URL('seeds.ndjson', import.meta.url);

test('whatever is in a file, it is a report within bounds', t => {
  const seeds: Mutant[] = readFileSync(seedFile, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
  const found: Record<string, number> = {};
  let runs = 0;
  const result = fc.check(
    fc.property(mutant, m => {
      runs++;
      const formats = inspect(build(m))
        .detections.map(({format}) => format)
        .join('+');
      found[formats] = (found[formats] ?? 0) + 1;
      holds({...m, sizes: [...m.sizes]});
    }),
    {
      examples: seeds.map(seed => [seed] as [Mutant]),
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
      maxSkipsPerRun: 0,
    },
  );
  t.log(`${runs} files in ${seconds} s, ${Object.keys(found).length} combinations of formats`);
  t.true(runs > seeds.length);
  if (!result.failed) return;
  // kept, so that it is tried first from now on
  appendFileSync(seedFile, `${JSON.stringify(result.counterexample?.[0])}\n`);
  t.fail(`${result.errorInstance}; kept in ${seedFile.pathname}: ${JSON.stringify(result.counterexample)}`);
});
