import test from 'ava';
import fc from 'fast-check';
import {CellarError} from '../../src/core/errors.ts';
import {
  covers,
  Draft,
  type ObjectClass,
  primitive,
  readList,
  readObject,
  readTime,
  writeTime,
} from '../../src/oslo/objects.ts';
import {rabbitDefaults, rabbitOptions} from '../../src/oslo/options.ts';
import {RemoteError, readFailure} from '../../src/oslo/remote-error.ts';
import {epochOf, sealed} from '../../src/oslo/sealed.ts';
import {offeredVersion, Versions} from '../../src/oslo/versions.ts';

const spec: ObjectClass = {name: 'HVSpec', version: '1.2'};
const node: ObjectClass = {
  name: 'ComputeNode',
  version: '1.19',
  since: {mapped: '1.18', service_id: '1.19'},
  parts: [spec],
};
const agreed = (versions: Record<string, string>, epoch = 1) => ({epoch, versionOf: (name: string) => versions[name]});
const internal = {instanceOf: CellarError, message: /agreed on|draft|nested|two connections/};

test('an object is read when it is of the class and new enough', t => {
  const value = primitive('Service', '1.22', {id: 1}, ['id']);
  t.deepEqual(readObject(value, 'Service'), {name: 'Service', version: '1.22', data: {id: 1}, changes: ['id']});
  t.deepEqual(readObject(primitive('Service', '1.22', {}), 'Service', '1.22').changes, []);
  for (const [other, name, min] of [
    [value, 'ComputeNode', '1.0'],
    [value, 'Service', '1.23'],
    [value, 'Service', '2.0'],
    [primitive('Service', '2.30', {}), 'Service', '1.22'],
    [primitive('Service', 'x', {}), 'Service', '1.0'],
    [{...value, 'nova_object.namespace': 'cinder'}, 'Service', '1.0'],
    [{...value, 'nova_object.data': null}, 'Service', '1.0'],
    [{...value, 'nova_object.changes': [1]}, 'Service', '1.0'],
    [{id: 1}, 'Service', '1.0'],
    [null, 'Service', '1.0'],
    [[value], 'Service', '1.0'],
  ] as const) {
    t.like(
      t.throws(() => readObject(other, name, min)),
      {kind: 'unavailable'},
      JSON.stringify(other),
    );
  }
});

test('a list is read with its objects', t => {
  const list = (objects: unknown) => primitive('ServiceList', '1.19', {objects});
  t.deepEqual(
    readList(list([primitive('Service', '1.22', {id: 1})]), 'ServiceList', 'Service').map(({data}) => data),
    [{id: 1}],
  );
  t.throws(() => readList(list([null]), 'ServiceList', 'Service'), {instanceOf: CellarError});
  t.throws(() => readList(list(undefined), 'ServiceList', 'Service'), {message: /it has no objects/});
});

test('times are UTC', t => {
  const time = new Date('2026-11-22T05:29:06Z');
  for (const text of [
    '2026-11-22T05:29:06Z',
    '2026-11-22T05:29:06',
    '2026-11-22T05:29:06.000000',
    '2026-11-22T05:29:06+00:00',
  ]) {
    t.deepEqual(readTime(text), time, text);
  }
  t.is(writeTime(new Date('2026-11-22T05:29:06.999Z')), '2026-11-22T05:29:06Z');
  for (const text of ['', '2026-11-22', '2026-13-22T05:29:06Z', '2026-11-22T05:29:06+01:00', 7, null]) {
    t.throws(() => readTime(text), {instanceOf: CellarError});
  }
});

test('versions are numbers, not texts', t => {
  t.true(covers('1.10', '1.9'));
  t.false(covers('1.9', '1.10'));
  t.false(covers('2.0', '1.0'));
});

test('a draft becomes a primitive of the agreed versions, its parts too', t => {
  const draft = new Draft(
    node,
    {
      host: 'h',
      seen: new Date('2026-01-01T00:00:00Z'),
      stats: {a: '1'},
      supported_hv_specs: [new Draft(spec, {arch: 'x86_64'})],
    },
    ['host'],
  );
  t.deepEqual(JSON.parse(JSON.stringify(sealed(draft, agreed({ComputeNode: '1.19', HVSpec: '1.2'})))), {
    'nova_object.name': 'ComputeNode',
    'nova_object.namespace': 'nova',
    'nova_object.version': '1.19',
    'nova_object.data': {
      host: 'h',
      seen: '2026-01-01T00:00:00Z',
      stats: {a: '1'},
      supported_hv_specs: [
        {
          'nova_object.name': 'HVSpec',
          'nova_object.namespace': 'nova',
          'nova_object.version': '1.2',
          'nova_object.data': {arch: 'x86_64'},
          'nova_object.changes': ['arch'],
        },
      ],
    },
    'nova_object.changes': ['host'],
  });
});

test('fields that the agreed version does not have stay away', t => {
  const draft = new Draft(node, {host: 'h', mapped: 1, service_id: 2});
  const fields = (version: string) => {
    const made = sealed(draft, agreed({ComputeNode: version}));
    return [made['nova_object.version'], Object.keys(made['nova_object.data']), made['nova_object.changes']];
  };
  t.deepEqual(fields('1.19'), ['1.19', ['host', 'mapped', 'service_id'], ['host', 'mapped', 'service_id']]);
  t.deepEqual(fields('1.18'), ['1.18', ['host', 'mapped'], ['host', 'mapped']]);
  t.deepEqual(fields('1.9'), ['1.9', ['host'], ['host']]);
});

test('with the oldest version known, an object goes out in the lowest that has its fields', t => {
  const of = {...node, oldest: '1.16'};
  const version = (data: Record<string, unknown>, known = '1.19') =>
    sealed(new Draft(of, data), agreed({ComputeNode: known}))['nova_object.version'];
  t.is(version({host: 'h'}), '1.16');
  t.is(version({host: 'h', mapped: 1}), '1.18');
  t.is(version({host: 'h', mapped: 1, service_id: 1}), '1.19');
  t.is(version({host: 'h', mapped: 1}, '1.17'), '1.16');
  t.is(version({host: 'h'}, '1.12'), '1.12');
});

test('nothing is sealed that was not agreed on, and nothing above it', t => {
  t.throws(() => sealed(new Draft(node, {}), agreed({})), internal);
  t.throws(() => sealed(new Draft(node, {}), agreed({ComputeNode: '1.20'})), internal);
  t.throws(() => sealed(new Draft(node, {}), agreed({ComputeNode: '2.0'})), internal);
  t.throws(() => sealed(new Draft(node, {a: [{b: new Draft(spec, {})}]}), agreed({ComputeNode: '1.19'})), internal);
  t.throws(
    () => sealed(new Draft(node, {a: [primitive('HVSpec', '1.0', {})]}), agreed({ComputeNode: '1.19'})),
    internal,
  );
});

test('only sealed objects pass, wherever they stand, and cannot be changed afterwards', t => {
  const good = sealed(
    new Draft(node, {a: [{b: 1}], c: new Draft(spec, {})}),
    agreed({ComputeNode: '1.19', HVSpec: '1.2'}, 7),
  );
  t.is(epochOf({objinst: good, args: [1, null, 'x']}), 7);
  t.is(epochOf({args: [], kwargs: {a: {b: [1]}}}), undefined);
  for (const bad of [
    {...good},
    structuredClone(good),
    primitive('Service', '1.0', {}),
    {'nova_object.name': 'X'},
    [[{a: {...good}}]],
  ]) {
    t.throws(() => epochOf({x: bad}), internal);
  }
  t.throws(() => Object.assign(good, {'nova_object.version': '1.99'}), {instanceOf: TypeError});
  t.throws(() => Object.assign(good['nova_object.data'], {x: primitive('HVSpec', '9.9', {})}), {instanceOf: TypeError});
  t.throws(() => Object.assign((good['nova_object.data']['a'] as object[])[0] as object, {b: 2}), {
    instanceOf: TypeError,
  });
  t.throws(() => (good['nova_object.data']['a'] as unknown[]).push(1), {instanceOf: TypeError});
  const other = sealed(new Draft(spec, {}), agreed({HVSpec: '1.2'}, 8));
  t.throws(() => epochOf([good, other]), internal);
  let deep: unknown = good;
  for (let i = 0; i < 100; i++) deep = [deep];
  t.throws(() => epochOf(deep), internal);
});

test('whatever is agreed on, no sealed object is above it', t => {
  const version = fc.tuple(fc.constantFrom(1, 1, 1, 2), fc.nat(25)).map(([major, minor]) => `${major}.${minor}`);
  const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer());
  const result = fc.check(
    fc.property(version, version, version, version, fields, (known, conductors, oldest, since, data) => {
      const of: ObjectClass = {name: 'X', version: known, oldest, since: {a: since}};
      try {
        const made = sealed(new Draft(of, data), agreed({X: conductors}));
        return covers(conductors, made['nova_object.version']) && covers(known, made['nova_object.version']);
      } catch (error) {
        return error instanceof CellarError;
      }
    }),
    {numRuns: 2000},
  );
  t.false(result.failed, JSON.stringify(result.counterexample));
});

test('agreements are of one connection, of all parts, and not for ever', t => {
  let now = 0;
  const versions = new Versions(() => now);
  t.is(versions.all(node, 1), undefined);
  versions.agree('ComputeNode', '1.19', 1);
  t.is(versions.all(node, 1), undefined);
  versions.agree('HVSpec', '1.2', 1);
  t.is(versions.all(node, 1)?.versionOf('HVSpec'), '1.2');
  t.is(versions.all(node, 2), undefined);
  t.is(versions.agreed(node, undefined), undefined);
  now = 600_001;
  t.is(versions.all(node, 1), undefined);
});

test('what one conductor does not know is asked of none, for a while', t => {
  let now = 0;
  const versions = new Versions(() => now);
  versions.agree('ComputeNode', '1.19', 1);
  versions.lower('ComputeNode', '1.17');
  t.is(versions.agreed(node, 1), undefined);
  t.deepEqual(versions.manifest(node), {ComputeNode: '1.17', HVSpec: '1.2'});
  now = 600_001;
  t.is(versions.wanted(node), '1.19');
});

test('an offer is one of this class, and lower', t => {
  const error = (kwargs: object, message = '') =>
    new RemoteError(
      'RPC',
      readFailure(JSON.stringify({class: 'IncompatibleObjectVersion', module: 'm', message, kwargs})),
    );
  t.is(offeredVersion(error({objname: 'Service', supported: '1.22'}), 'Service', '1.99'), '1.22');
  t.is(
    offeredVersion(error({}, 'Version 1.99 of Service is not supported, supported version is 1.22'), 'Service', '1.99'),
    '1.22',
  );
  for (const [kwargs, asked] of [
    [{objname: 'Other', supported: '1.22'}, '1.99'],
    [{objname: 'Service', supported: '1.22'}, '1.22'],
    [{objname: 'Service', supported: '1.23'}, '1.22'],
    [{objname: 'Service', supported: '2.1'}, '1.99'],
    [{objname: 'Service', supported: 'x'}, '1.99'],
    [{objname: 'Service'}, '1.99'],
  ] as const) {
    t.is(offeredVersion(error(kwargs), 'Service', asked), undefined, JSON.stringify(kwargs));
  }
  t.is(offeredVersion(new Error('x'), 'Service', '1.99'), undefined);
});

test('the query of the URL goes over what is given, which goes over the defaults', t => {
  t.deepEqual(rabbitOptions({}, {}), rabbitDefaults);
  t.like(
    rabbitOptions(
      {ssl: false, rabbit_interval_max: 5, ssl_ca_file: undefined},
      {ssl: 'YES', heartbeat_timeout_threshold: ' 7 ', ssl_ca_file: '/x', kombu_compression: 'gzip', constructor: '1'},
    ),
    {
      ssl: true,
      rabbit_interval_max: 5,
      heartbeat_timeout_threshold: 7,
      ssl_ca_file: '/x',
    },
  );
  for (const query of [{ssl: 'maybe'}, {rabbit_interval_max: 'x'}, {rabbit_login_method: 'NTLM'}]) {
    t.like(
      t.throws(() => rabbitOptions({}, query as Record<string, string>)),
      {kind: 'config'},
    );
  }
});
