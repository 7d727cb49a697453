import {appendFileSync, readFileSync} from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import {CellarError} from '../../src/core/errors.ts';
import {decodeReply} from '../../src/oslo/envelope.ts';
import {readList, readObject, readTime} from '../../src/oslo/objects.ts';
import {RemoteError, readFailure} from '../../src/oslo/remote-error.ts';

/** How long it goes on: 5 s beside the other tests, longer in a run of its own. */
const seconds = Number(process.env['CELLAR_FUZZ_SECONDS'] ?? 5);
const saved = new URL('decode-seeds.ndjson', import.meta.url);

/** All that reads what came. Every stage is tried, whatever the one before said. */
function readAll(bytes: Uint8Array): void {
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CellarError)) throw error;
      return undefined;
    }
  };
  const reply = attempt(() => decodeReply(bytes, 1_000_000));
  const failure = readFailure(reply?.failure ?? Buffer.from(bytes).toString());
  const error = new RemoteError('RPC', failure);
  if (error.message.length > 1300) throw new Error('a message without bounds');
  for (const value of [reply?.result, reply]) {
    attempt(() => readObject(value, 'Service', '1.2'));
    attempt(() => readList(value, 'ServiceList', 'Service'));
    attempt(() => readTime(value));
  }
}

const object = {
  'nova_object.name': 'ServiceList',
  'nova_object.namespace': 'nova',
  'nova_object.version': '1.19',
  'nova_object.data': {objects: [{'nova_object.name': 'Service', 'nova_object.version': '1.22'}]},
  'nova_object.changes': ['objects'],
};
const reply = {result: object, failure: null, ending: true, _msg_id: 'a', _unique_id: 'b'};
const failed = {
  ...reply,
  failure: JSON.stringify({
    class: 'X',
    module: 'nova.exception',
    message: 'm',
    tb: ['t'],
    args: [1],
    kwargs: {code: 404},
  }),
};
const wrapped = (inner: unknown) => JSON.stringify({'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner)});

/** JSON of the right shape with one thing in it replaced, and bytes of it changed. */
const nearly = fc
  .tuple(
    fc.constantFrom(reply, failed),
    fc.constantFrom(...Object.keys(reply), ...Object.keys(object)),
    fc.jsonValue({maxDepth: 4}),
    fc.array(fc.tuple(fc.nat(400), fc.nat(255)), {maxLength: 4}),
  )
  .map(([base, key, value, changes]) => {
    const inner = key in base ? {...base, [key]: value} : {...base, result: {...object, [key]: value}};
    const bytes = Buffer.from(wrapped(inner));
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return new Uint8Array(bytes);
  });

const arbitrary = fc.oneof(
  fc.uint8Array({maxLength: 2000}),
  fc.json({maxDepth: 6}).map(text => new Uint8Array(Buffer.from(text))),
  fc.jsonValue({maxDepth: 6}).map(value => new Uint8Array(Buffer.from(wrapped(value)))),
  nearly,
);

test('whatever bytes came before do no harm', t => {
  const seeds = readFileSync(saved, 'utf8').trim().split('\n').filter(Boolean);
  t.true(seeds.length >= 20);
  for (const seed of seeds) t.notThrows(() => readAll(Buffer.from(JSON.parse(seed) as string, 'base64')), seed);
});

test('any bytes are an answer or a CellarError', t => {
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  const property = fc.property(arbitrary, bytes => {
    readAll(bytes);
    runs += 1;
  });
  while (performance.now() < end) {
    const result = fc.check(property, {numRuns: 500});
    if (result.failed) {
      const bytes = result.counterexample?.[0] ?? new Uint8Array();
      appendFileSync(saved, `${JSON.stringify(Buffer.from(bytes).toString('base64'))}\n`);
      t.fail(`${Buffer.from(bytes).toString('latin1')}: ${String(result.errorInstance)}`);
      return;
    }
  }
  t.true(runs >= 500, String(runs));
});

test('what is nested as deeply as fits, and what is too large, is no harm', t => {
  const deep = `${'['.repeat(400_000)}${']'.repeat(400_000)}`;
  readAll(Buffer.from(deep));
  readAll(Buffer.from(JSON.stringify({'oslo.version': '2.0', 'oslo.message': `{"_msg_id":"a","result":${deep}}`})));
  const less = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const failure = `{"class":"X","args":[${less}],"kwargs":{"a":${less}}}`;
  readAll(Buffer.from(JSON.stringify({_msg_id: 'a', failure})));
  t.is(readFailure(failure).class, 'X');
  const large = Buffer.alloc(33 * 1024 * 1024, ' ');
  t.throws(() => decodeReply(large), {instanceOf: CellarError, message: /33554432 are read|bytes/});
  t.throws(() => decodeReply(Buffer.alloc(11, ' '), 10), {message: /11 bytes, and 10 are read/});
});

test('a URL that a text is cut in shows no password', t => {
  const secret = 's3cr3t-s3cr3t';
  const whole = `mysql+pymysql://nova:${secret}@db.example/nova`;
  for (let before = 945; before <= 1000; before += 1) {
    const said = `${'x'.repeat(before)} ${whole} and more`;
    const failure = {class: 'X', module: 'm', message: said, args: [said], kwargs: {said}, tb: [said.repeat(2)]};
    const read = readFailure(JSON.stringify(failure));
    const all = JSON.stringify([read.message, read.args, read.kwargs, read.traceback]);
    t.false(all.includes('s3cr'), all.slice(-100));
    t.true(read.message.endsWith('…'), read.message.slice(-10));
  }
  const [known] = readFailure(JSON.stringify({class: 'X', args: [`(${whole}) is down`]})).args;
  t.is(known, '(mysql+pymysql://***@db.example/nova) is down');
});

test('the answers that were recorded of a conductor are read', t => {
  const {result, ending, msgId, uniqueId, failure} = decodeReply(Buffer.from(wrapped(reply)));
  t.deepEqual([ending, msgId, uniqueId, failure], [true, 'a', 'b', undefined]);
  t.is(readObject(result, 'ServiceList').version, '1.19');
  const other = decodeReply(Buffer.from(wrapped(failed)));
  t.like(readFailure(other.failure ?? ''), {
    class: 'X',
    module: 'nova.exception',
    message: 'm',
    args: [1],
    kwargs: {code: 404},
    traceback: 't',
  });
  t.is(decodeReply(Buffer.from(JSON.stringify(reply))).msgId, 'a', 'without an envelope');
  const strange = readFailure(JSON.stringify({class: 'constructor', module: 'm', kwargs: {code: 'constructor'}}));
  t.like(new RemoteError('RPC', strange), {kind: 'internal', hint: undefined});
  for (const body of [
    '{"oslo.version":"3.0","oslo.message":"{}"}',
    '{"oslo.version":"2.0","oslo.message":{}}',
    '{"oslo.version":"2.0","oslo.message":"7"}',
    '{}',
    'null',
    '',
    wrapped({...reply, failure: {}}),
  ]) {
    t.throws(() => decodeReply(Buffer.from(body)), {instanceOf: CellarError}, body);
  }
});
