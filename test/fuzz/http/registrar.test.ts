/** Whatever is asked of a registrar, with a good token too: it answers in its form, and maps nothing but what is true. */
import {connect} from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import {errorKinds} from '../../../src/core/errors.ts';
import {collect} from '../../facade/wire.ts';
import {password} from '../../registrar/nova.ts';
import {host, type Reply, startRegistrar, type TestRegistrar, tokens} from '../../registrar/setup.ts';
import {bytes, changed, changes, fuzz, nearlyJson, unpolluted} from '../fuzz.ts';

const full = {...host, bus: {servers: ['127.0.0.1:5672'], virtualHost: 'cell1'}};

/** Only the host whose compute node is in the database of cell1 is mapped, if any, and to that. */
function nothingFalse({api}: TestRegistrar): void {
  const wrong = [...api.mappings].filter(([name, cell]) => name !== host.host || cell !== api.cells[0]?.uuid);
  if (wrong.length > 0) throw new Error(`mapped: ${JSON.stringify(wrong)}`);
}

function noSecrets(text: string): void {
  for (const secret of ['s3cr3t', password, 'rabbit://'])
    if (text.includes(secret)) throw new Error(`it holds ${secret}: ${text.slice(0, 500)}`);
}

/** Nova's tables are in memory here, and always answer: that they cannot be asked is a bug that is told as a failure of theirs. */
function noBug(text: string): void {
  if (/"kind":"internal"|cannot be asked now/.test(text)) throw new Error(`a bug: ${text.slice(0, 500)}`);
}

function inForm({status, text, headers, json}: Reply): void {
  noSecrets(text + JSON.stringify(headers));
  const {error} = json as {error?: {kind: string; message: string}};
  noBug(text);
  if (status === 500) throw new Error(`500: ${text.slice(0, 500)}`);
  if ((status === 200) !== (error === undefined)) throw new Error(`${status} with ${text.slice(0, 300)}`);
  if (error !== undefined && !Object.hasOwn(errorKinds, error.kind)) throw new Error(`no kind of ours: ${error.kind}`);
  if (text.length > 5000) throw new Error(`${text.length} characters`);
}

const asked = fc.record({
  path: fc.oneof(
    {weight: 4, arbitrary: fc.constantFrom('/v1/hosts', '/v1/hosts', '/v1/cell', '/healthz', '/v1/hosts/compute-1')},
    {
      weight: 1,
      arbitrary: fc.string({maxLength: 20}).map(text => `/v1/hosts/${encodeURIComponent(text.toWellFormed())}`),
    },
  ),
  method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT', 'DELETE'),
  body: nearlyJson(full),
  token: fc.constantFrom(tokens.service, tokens.service, tokens.service, tokens.member, 's3cr3t-of-nobody', ''),
});

test('any request is answered in the form of the registrar, and maps nothing that is not so', async t => {
  await using registrar = await startRegistrar();
  await fuzz(t, new URL('registrar-seeds.ndjson', import.meta.url), asked, async ({path, method, body, token}) => {
    const sent = {path, method, token, ...(method !== 'GET' && {body: body.toWellFormed()})};
    const answer = await registrar.ask(sent).catch((error: NodeJS.ErrnoException) => {
      // who is refused while still sending may be hung up on before the answer is read
      if (['EPIPE', 'ECONNRESET'].includes(error.code ?? '') && body.length > 8192) return undefined;
      throw error;
    });
    if (answer !== undefined) inForm(answer);
    nothingFalse(registrar);
    unpolluted();
  });
  noSecrets(registrar.log.join('\n'));
});

const plain = [
  `POST /v1/hosts HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${tokens.service}\r\nContent-Type: application/json\r\nContent-Length: ${JSON.stringify(host).length}\r\n\r\n${JSON.stringify(host)}`,
  `POST /v1/cell HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${tokens.service}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `GET /v1/hosts/compute-1 HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${tokens.member}\r\n\r\n`,
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

test('any bytes: the registrar answers or hangs up, without a secret, and maps nothing that is not so', async t => {
  await using registrar = await startRegistrar();
  await fuzz(t, new URL('registrar-bytes-seeds.ndjson', import.meta.url), sent, async text => {
    const socket = connect(registrar.port, '127.0.0.1');
    let hangs = false;
    socket.setTimeout(60_000, () => {
      hangs = true;
      socket.destroy();
    });
    socket.end(Buffer.from(text, 'latin1'));
    const received = (await collect(socket)).toString('latin1');
    if (hangs) throw new Error('the connection stays open');
    noSecrets(received);
    noBug(received);
    nothingFalse(registrar);
  });
  noSecrets(registrar.log.join('\n'));
});
