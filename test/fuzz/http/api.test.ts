/** A real agent, on a real cluster, asked in every way: it answers in its form, never with a bug, and is as good as new afterwards. */
import {readFileSync} from 'node:fs';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {routes} from '../../../src/api/routes.ts';
import {errorKinds} from '../../../src/core/errors.ts';
import {type Answer, eventually, send} from '../../api/with-server.ts';
import {collect} from '../../facade/wire.ts';
import type {AgentProcess} from '../../helpers/agent.ts';
import {makePlace, type Place} from '../../integration/place.ts';
import {bytes, changed, changes, fuzz, nearlyJson, strangeJson} from '../fuzz.ts';

let place: Place;
let agent: AgentProcess;

test.before(async () => {
  place = await makePlace();
  agent = await place.startAgent();
});

test.after.always(async () => {
  await agent?.kill();
  await place?.[Symbol.asyncDispose]();
});

const image = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';
const token = 's3cr3t-token-of-nobody-at-all';

const name = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'd',
      'a b',
      'é',
      '日本',
      '\u{1f600}',
      '#',
      '%',
      '+',
      '"',
      '\\',
      '-n',
      '--help',
      '...',
      '~',
      '*',
      '$(id)',
      ';',
      '\u202e',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '/',
      '@',
      '.',
      '..',
      '\0',
      '\n',
      'a\u2028b',
      '\ud800',
      '../../etc/passwd',
      'x'.repeat(200),
      'x'.repeat(201),
      'é'.repeat(200),
    ),
  },
  {weight: 2, arbitrary: fc.string({minLength: 1, maxLength: 30, unit: 'binary'})},
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'rbd_directory', 'rbd_header.1', 'rbd_id.x', 'cellar.index'),
  },
);
const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());

type Asked = {
  route: number;
  pool: string | null;
  name: string;
  id: string;
  body: string | null;
  headers: Record<string, string>;
};

const asked: fc.Arbitrary<Asked> = fc.record({
  route: fc.nat(routes.length - 1),
  pool: fc.option(name, {nil: null}),
  name,
  id: fc.oneof({weight: 3, arbitrary: fc.constant(image)}, {weight: 1, arbitrary: name}),
  body: fc.option(
    fc.oneof(
      {weight: 3, arbitrary: nearlyJson({image, size: 4096, token})},
      {weight: 1, arbitrary: nearlyJson({token})},
      {weight: 1, arbitrary: strangeJson.map(value => JSON.stringify(value))},
    ),
    {nil: null},
  ),
  headers: fc.dictionary(
    fc.constantFrom(
      'X-Auth-Token',
      'Accept',
      'X-OpenStack-Request-ID',
      'Expect',
      'Cookie',
      'Host',
      'X-Forwarded-For',
      '__proto__',
    ),
    fc.constantFrom(token, 'application/x-ndjson', 'req-', '', '*/*;q=0', 'x'.repeat(9000), '\u00ff', 'é'),
    {maxKeys: 2},
  ),
});

/** In our form, of a kind that fits its status, and nothing that was a secret in it. */
function inForm({status, headers, text, json}: Answer): void {
  const said = text.slice(0, 500);
  if (headers['cellar-version'] === undefined) throw new Error(`not our answer: ${status} ${said}`);
  if (text.includes(token)) throw new Error(`it holds the token: ${said}`);
  if (text.length > 200_000) throw new Error(`${text.length} characters`);
  const lines = headers['content-type'] === 'application/x-ndjson';
  const last = (lines ? JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') : json) as {
    schema?: number;
    error?: {kind: keyof typeof errorKinds};
  };
  const error = last?.error;
  if (error?.kind === 'internal') throw new Error(`a bug: ${said}`);
  if (error !== undefined && !Object.hasOwn(errorKinds, error.kind)) throw new Error(`no kind of ours: ${said}`);
  if (!lines && (status === 200) !== (error === undefined)) throw new Error(`${status} with ${said}`);
}

test.serial('any request to any route is answered in our form, and never with a bug', async t => {
  await fuzz(
    t,
    new URL('api-seeds.ndjson', import.meta.url),
    asked,
    async ({route, pool, name: disk, id, body, headers}) => {
      const {method, path} = routes[route] ?? {method: 'GET', path: '/'};
      const filled = path
        .replace('{pool}', () => escaped(pool ?? place.vms))
        .replace('{name}', () => escaped(disk))
        .replace('{id}', () => escaped(id));
      // what may not stand in a header never reaches a server
      const sendable = Object.entries(headers).filter(([, value]) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value));
      const ask = {headers: Object.fromEntries(sendable), ...(body !== null && {body: body.toWellFormed()})};
      const answer = await send(place.socket, method, filled, ask).catch((error: NodeJS.ErrnoException) => {
        // who is refused while still sending may be hung up on before the answer is read
        if (['EPIPE', 'ECONNRESET'].includes(error.code ?? '') && (body?.length ?? 0) > 8192) return undefined;
        throw error;
      });
      if (answer !== undefined) inForm(answer);
    },
  );
  await asGoodAsNew(t);
});

const plain = [
  'GET /healthz HTTP/1.1\r\n\r\n',
  'GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n',
  `DELETE /v1/disks/vms/none HTTP/1.1\r\nX-Auth-Token: ${token}\r\n\r\n`,
  `PUT /v1/disks/vms/a HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  `PUT /v1/disks/vms/a HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `POST /v1/images/${image}/prefetch HTTP/1.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
];

const sent = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(...plain), changes), {minLength: 1, maxLength: 3})
      .map(parts => parts.map(([text, list]) => changed(text, list)).join('')),
  },
  {weight: 1, arbitrary: bytes({maxLength: 300})},
);

test.serial('any bytes on the socket: it is answered in our form or hung up on, and the connection ends', async t => {
  await fuzz(t, new URL('api-bytes-seeds.ndjson', import.meta.url), sent, async text => {
    const socket = connect(place.socket);
    socket.setTimeout(60_000, () => socket.destroy(new Error('it hangs')));
    let hung = false;
    socket.on('error', error => {
      hung ||= error.message === 'it hangs';
    });
    socket.end(Buffer.from(text, 'latin1'));
    const received = (await collect(socket)).toString('latin1');
    if (hung) throw new Error('the connection stays open');
    if (received.includes(token)) throw new Error('it holds the token');
    const heads = received.split(/(?=HTTP\/1\.1 \d{3} )/).filter(part => part !== '');
    for (const head of heads) {
      if (head.startsWith('HTTP/1.1 100 ')) continue;
      if (!/^HTTP\/1\.1 \d{3} [A-Za-z ]+\r\n/.test(head) || !head.includes('Cellar-Version: '))
        throw new Error(`not our answer: ${head.slice(0, 300)}`);
      if (head.includes('"kind":"internal"')) throw new Error(`a bug: ${head.slice(0, 500)}`);
    }
  });
  await asGoodAsNew(t);
});

/** Nothing of it is left in the agent: no request, no connection, no log line of a bug, no token, no disk. */
async function asGoodAsNew(t: ExecutionContext): Promise<void> {
  await eventually(() => connections() === 0, 20_000);
  t.like((await send(place.socket, 'GET', '/v1/status')).json, {requests: 0, fills: []});
  t.false(agent.text.includes(token));
  t.deepEqual(
    agent.log.filter(line => (line['error'] as {kind?: string} | undefined)?.kind === 'internal'),
    [],
  );
  t.deepEqual(await place.omapKeys('cellar.disks'), []);
}

/** Connections on the agent's socket, as the kernel counts them: those that are accepted have its path too, and are connected (03). */
const connections = (): number =>
  readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter(line => line.endsWith(` ${place.socket}`) && line.split(' ')[5] === '03').length;
