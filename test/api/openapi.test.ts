import {readFile} from 'node:fs/promises';
import test from 'ava';
import {z} from 'zod';
import {openapiText} from '../../src/api/openapi.ts';
import {routes} from '../../src/api/routes.ts';
import type {DiskView} from '../../src/api/wire.ts';
import {CellarError} from '../../src/core/errors.ts';
import {diskResult, diskView, image, status} from './fake-agent.ts';
import {withServer} from './with-server.ts';

type Json = Record<string, unknown>;
const text = await readFile(new URL('../../docs/api/openapi.json', import.meta.url), 'utf8');
const document = JSON.parse(text) as {paths: Record<string, Json>; components: {schemas: Record<string, Json>}};

/** The published schema as a validator that refuses fields it does not name, built from the file alone. */
function published(name: string): z.ZodType {
  const inline = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inline);
    if (typeof value !== 'object' || value === null) return value;
    const {$ref, ...rest} = value as Json;
    if (typeof $ref === 'string') return inline(document.components.schemas[$ref.split('/').at(-1) ?? '']);
    const closed = 'properties' in rest && !('additionalProperties' in rest) ? {additionalProperties: false} : {};
    return Object.fromEntries(Object.entries({...rest, ...closed}).map(([key, one]) => [key, inline(one)]));
  };
  return z.fromJSONSchema(inline(document.components.schemas[name]) as Parameters<typeof z.fromJSONSchema>[0]);
}

const valid = (name: string, value: unknown) => published(name).safeParse(value).error?.message ?? 'valid';

test('docs/api/openapi.json is what the code says (else: node src/api/openapi.ts)', t => {
  t.is(text, openapiText());
});

test('every route is published, and nothing else', t => {
  const methods = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter(key => key !== 'parameters')
      .map(method => `${method.toUpperCase()} ${path}`),
  );
  t.deepEqual(methods.toSorted(), routes.map(({method, path}) => `${method} ${path}`).toSorted());
});

test('every reference in the document has its target', t => {
  const references = [...text.matchAll(/"\$ref": "#\/components\/(\w+)\/(\w+)"/g)];
  t.true(references.length > 10);
  for (const [, group, name] of references) {
    t.truthy((document.components as unknown as Record<string, Json>)[group ?? '']?.[name ?? ''], name ?? '');
  }
});

test('real answers are valid by the published schemas, without a field that is not published', async t => {
  const views: DiskView[] = [
    diskView,
    {
      ...diskView,
      state: 'being-made',
      size: null,
      parent: null,
      why: 'it does not open',
      intent: {
        schema: 1,
        host: 'h',
        run: 'r',
        since: '2026-11-22T07:00:00.000Z',
        image,
        parent: {pool: 'cellar', image: 'x', snapshot: 'snap'},
      },
    },
  ];
  const statuses = [
    status,
    {...status, ceph: {...status.ceph, state: 'down' as const, fsid: null, why: 'no monitor'}, cached: null},
  ];
  let turn = 0;
  const script = {showDisk: async () => views[turn] ?? diskView, status: async () => statuses[turn] ?? status};
  await withServer(script, async ({ask}) => {
    for (turn = 0; turn < 2; turn += 1) {
      t.is(valid('DiskView', (await ask('GET', '/v1/disks/vms/a')).json), 'valid');
      t.is(valid('Status', (await ask('GET', '/v1/status')).json), 'valid');
    }
    const body = JSON.stringify({image});
    t.is(valid('DiskRequest', JSON.parse(body)), 'valid');
    t.not(valid('DiskRequest', {image, sise: 1}), 'valid');
    t.is(valid('Disk', (await ask('PUT', '/v1/disks/vms/a', {body})).json), 'valid');
    t.is(valid('Deletion', (await ask('DELETE', '/v1/disks/vms/a')).json), 'valid');
    t.is(valid('Images', (await ask('GET', '/v1/images')).json), 'valid');
    t.is(valid('Image', (await ask('GET', `/v1/images/${image}`)).json), 'valid');
    const headers = {Accept: 'application/x-ndjson'};
    for (const [schema, method, path, body] of [
      ['Prefetch', 'POST', 'prefetch', '{}'],
      ['Verification', 'POST', 'verify'],
      ['Pin', 'PUT', 'pin'],
      ['Pin', 'DELETE', 'pin'],
    ] as const) {
      t.is(
        valid(schema, (await ask(method, `/v1/images/${image}/${path}`, {...(body && {body})})).json),
        'valid',
        path,
      );
      if (method !== 'POST') continue;
      const lines = (await ask(method, `/v1/images/${image}/${path}`, {...(body && {body}), headers})).text;
      t.is(valid('StreamLine', JSON.parse(lines)), 'valid', path);
    }
    t.is(valid('Eviction', (await ask('DELETE', `/v1/images/${image}`)).json), 'valid');
    t.is(valid('PrefetchRequest', {token: 'a-token-of-keystone'}), 'valid');
    t.not(valid('PrefetchRequest', {pin: true}), 'valid');
    t.is(valid('Health', (await ask('GET', '/healthz')).json), 'valid');
    t.is(valid('Error', (await ask('GET', '/v1/nothing')).json), 'valid');
  });
});

test('real lines are valid by the published schema', async t => {
  for (const fails of [false, true]) {
    await withServer(
      {
        createDisk: async (request, {onProgress}) => {
          onProgress?.({image, received: 1, size: 2});
          if (fails) throw new CellarError('corrupt', 'wrong digest', {hint: 'again', object: image});
          return diskResult(request);
        },
      },
      async ({ask}) => {
        const headers = {Accept: 'application/x-ndjson'};
        const answer = await ask('PUT', '/v1/disks/vms/a', {body: JSON.stringify({image}), headers});
        const lines = answer.text.trimEnd().split('\n');
        t.is(lines.length, 2);
        for (const line of lines) t.is(valid('StreamLine', JSON.parse(line)), 'valid', line);
      },
    );
  }
});
