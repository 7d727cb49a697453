import test from 'ava';
import fc from 'fast-check';
import {Inspector, judgeFormat, servedFormats} from '../../../src/core/format/index.ts';
import {fixedVhd, gpt, streamDescriptor, streamedVmdk} from './forge.ts';
import {Images, inspect, noise, patched} from './images.ts';

const images = new Images();

/** One of every kind, the hostile among them: what they say must not depend on how they come. */
const samples: Record<string, Buffer> = {
  raw: noise(200_000),
  gpt: gpt(100_000),
  qcow2: images.convert('qcow2'),
  qcow2v2: images.convert('qcow2', 'compat=0.10'),
  qcow2small: images.convert('qcow2', 'cluster_size=512'),
  backing: images.create('qcow2', '', '', '-b', images.raw, '-F', 'raw'),
  vmdk: images.convert('vmdk'),
  streamed: streamedVmdk(),
  flat: images.create('vmdk', '4M', 'subformat=monolithicFlat'),
  parent: streamedVmdk({descriptor: `${streamDescriptor}parentFileNameHint="x"\n`}),
  vdi: images.convert('vdi'),
  vhd: images.convert('vpc'),
  fixed: fixedVhd(noise(100_000)),
  vhdx: images.convert('vhdx'),
  iso: images.iso('-udf'),
  hybrid: patched(images.iso(), copy => gpt(2048).copy(copy)),
  polyglot: patched(images.convert('qcow2'), copy => copy.write('CD001', 32769)),
  luks: Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'),
};

const names = Object.keys(samples);
const sampleOf = (name: string): Buffer => samples[name] ?? Buffer.alloc(0);

test('the report does not depend on how the stream is cut', t => {
  const whole = new Map(names.map(name => [name, inspect(sampleOf(name))]));
  const sizes = fc.array(fc.oneof(fc.integer({min: 1, max: 700}), fc.integer({min: 1, max: 300_000})), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.constantFrom(...names), sizes, (name, sizes) => {
      t.deepEqual(inspect(sampleOf(name), sizes), whole.get(name), name);
    }),
    {numRuns: 150},
  );
});

test('byte by byte it is the same', t => {
  for (const name of ['luks', 'streamed', 'fixed', 'hybrid', 'backing']) {
    const bytes = sampleOf(name);
    t.deepEqual(inspect(bytes, [1]), inspect(bytes), name);
  }
});

test('a file that is cut off anywhere is a report, and never one that says more is well', t => {
  for (const name of names) {
    const bytes = sampleOf(name);
    const edges = [
      0,
      4,
      8,
      64,
      68,
      104,
      112,
      512,
      1024,
      1536,
      2048,
      4096,
      10752,
      32768,
      32774,
      34816,
      65536,
      131072,
      196608,
      262144,
      1 << 20,
      3 << 20,
      bytes.length,
    ];
    for (const edge of edges) {
      for (const length of [edge - 1, edge, edge + 1]) {
        if (length < 0 || length > bytes.length) continue;
        const report = inspect(bytes.subarray(0, length));
        t.is(report.totalBytes, length);
        for (const declared of servedFormats) {
          const verdict = judgeFormat(declared, report);
          if (verdict.ok && verdict.store === 'convert') {
            t.true(
              judgeFormat(declared, inspect(bytes)).ok,
              `${name} of ${length} bytes passes as ${declared}, the whole does not`,
            );
          }
        }
      }
    }
  }
});

test('a file whose end tells that it is whole is refused without its end', t => {
  for (const [name, declared] of [
    ['vdi', 'vdi'],
    ['vhd', 'vhd'],
    ['fixed', 'vhd'],
    ['streamed', 'vmdk'],
  ] as const) {
    const bytes = sampleOf(name);
    t.true(judgeFormat(declared, inspect(bytes)).ok);
    for (const missing of [2, 511, 512, 513, 1024, 4096, 65536]) {
      const report = inspect(bytes.subarray(0, bytes.length - missing));
      t.false(judgeFormat(declared, report).ok, `${name} without its last ${missing} bytes`);
    }
  }
});

test('the chunks may be used again', t => {
  const bytes = sampleOf('vhdx');
  const inspector = new Inspector();
  const chunk = Buffer.alloc(10_000);
  for (let at = 0; at < bytes.length; at += chunk.length) {
    const length = bytes.copy(chunk, 0, at);
    inspector.push(chunk.subarray(0, length));
    chunk.fill(0xff);
  }
  t.deepEqual(inspector.finish(), inspect(bytes));
});

test('it holds at most 1.2 MiB, whatever comes and whatever the headers ask for', t => {
  const hungry = [
    ...Object.values(samples),
    patched(sampleOf('vmdk'), copy => copy.writeBigUInt64LE(2047n, 36)),
    patched(sampleOf('qcow2'), copy => copy.writeUInt32BE(21, 20)),
    patched(sampleOf('vhdx'), copy => copy.writeUInt32LE(0xffffffff, 192 * 1024 + 8)),
  ];
  let most = 0;
  for (const bytes of hungry) {
    const inspector = new Inspector();
    for (let at = 0; at < bytes.length; at += 5000) {
      inspector.push(bytes.subarray(at, at + 5000));
      most = Math.max(most, inspector.held);
    }
    inspector.finish();
    t.true(inspector.held < 8192, 'it lets go of everything at the end');
  }
  t.true(most > 900_000 && most <= 1.2 * 1024 * 1024, `${most} bytes`); // the descriptor of 1 MiB was really held
});

test('asked again it gives the same report', t => {
  const inspector = new Inspector();
  inspector.push(sampleOf('vhd'));
  t.is(inspector.finish(), inspector.finish());
});

/** What is said first that is not "need more", and after how many bytes. */
function firstWord(declared: string, bytes: Buffer, step = 512) {
  const inspector = new Inspector();
  for (let at = 0; at < bytes.length; at += step) {
    inspector.push(bytes.subarray(at, at + step));
    const early = inspector.early(declared);
    if (early.kind !== 'need-more') return {...early, after: at + step};
  }
  return {kind: 'need-more', after: bytes.length};
}

test('a raw disk or an ISO image may be written after its first 96 KiB at most, and what is neither never', t => {
  t.like(firstWord('raw', noise(200_000)), {kind: 'continue', virtualSize: undefined});
  t.true(firstWord('raw', noise(200_000)).after <= 96 * 1024);
  t.like(firstWord('iso', sampleOf('iso')), {kind: 'continue'});
  t.like(firstWord('iso', noise(200_000)), {kind: 'refuse', after: 34_816});
  t.like(firstWord('raw', sampleOf('iso')), {kind: 'refuse'});
  t.like(firstWord('raw', sampleOf('flat')), {kind: 'need-more'}); // shorter than anything: its end tells
});

test('a declared format is refused by its first bytes, and its size is known after its header', t => {
  t.like(firstWord('raw', sampleOf('qcow2')), {kind: 'refuse', after: 512});
  t.like(firstWord('qcow2', sampleOf('backing')), {kind: 'refuse', after: 512});
  t.like(firstWord('ami', sampleOf('raw')), {kind: 'refuse', after: 512});
  t.like(firstWord('qcow2', sampleOf('vdi')), {kind: 'refuse', after: 512});
  const bomb = patched(sampleOf('qcow2'), copy => copy.writeBigUInt64BE(1n << 63n, 24));
  t.like(firstWord('qcow2', bomb), {kind: 'refuse', after: 512});
  for (const [declared, name] of [
    ['qcow2', 'qcow2'],
    ['vmdk', 'vmdk'],
    ['vdi', 'vdi'],
    ['vhdx', 'vhdx'],
  ] as const) {
    t.like(firstWord(declared, sampleOf(name)), {kind: 'continue', virtualSize: 4 * 1024 * 1024}, name);
  }
});

test('what was said early holds, unless the end of the file speaks against it', t => {
  for (const name of names) {
    for (const declared of servedFormats) {
      const bytes = sampleOf(name);
      const early = firstWord(declared, bytes);
      const verdict = judgeFormat(declared, inspect(bytes));
      if (early.kind === 'refuse') t.false(verdict.ok, `${name} as ${declared}`);
      if (verdict.ok) t.true(early.kind !== 'refuse', `${name} as ${declared}`);
    }
  }
});
