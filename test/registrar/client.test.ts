import test from 'ava';
import {RegistrarClient} from '../../src/registrar/client.ts';
import {fails} from '../helpers/fails.ts';
import {deadUrl, sendJson, startServer} from '../helpers/with-server.ts';
import {makeAuthority} from './certificates.ts';
import {host, startRegistrar, tokens, uuid} from './setup.ts';

const signal = () => AbortSignal.timeout(10_000);
const place = {host: 'compute-1', claim: {name: 'cell1'}, bus: {servers: ['127.0.0.1:5672'], virtualHost: 'cell1'}};

/** Shows these tokens, one after the other when they are refused. */
function identityOf(...shown: string[]) {
  const invalidated: string[] = [];
  return {
    invalidated,
    token: async () => shown[Math.min(invalidated.length, shown.length - 1)] ?? '',
    invalidate: (token: string) => void invalidated.push(token),
  };
}

function clientOf(
  t: {teardown(fn: () => void): void},
  url: string,
  identity = identityOf(tokens.service),
  transport = {},
) {
  const client = new RegistrarClient({url, transport, identity});
  t.teardown(() => client.close());
  return client;
}

test('the cell is found, the host mapped, and asked for', async t => {
  await using registrar = await startRegistrar();
  const client = clientOf(t, `${registrar.url}/`);
  const cell = {name: 'cell1', uuid: registrar.api.cells[0]?.uuid ?? ''};
  t.deepEqual(await client.findCell(place, signal()), cell);
  t.is(await client.mappingOf('compute-1', signal()), undefined);
  const full = {...place, node: host.node, uuid};
  t.is(await client.map(full, cell, signal()), 'created');
  t.is(await client.map(full, cell, signal()), 'existing');
  t.deepEqual(await client.mappingOf('compute-1', signal()), cell);
});

test("the registrar's refusals arrive as they were thrown there", async t => {
  await using registrar = await startRegistrar();
  const client = clientOf(t, registrar.url);
  const error = await fails(
    t,
    client.findCell({...place, claim: {name: 'cell2'}}, signal()),
    'conflict',
    /message bus is that of cell cell1/,
  );
  t.regex(error.hint ?? '', /nothing was mapped/);
  const member = clientOf(t, registrar.url, identityOf(tokens.member));
  await fails(t, member.findCell(place, signal()), 'forbidden', /none of the roles service/);
});

test('a name and a uuid that are not of one cell are refused here', async t => {
  await using registrar = await startRegistrar();
  const cell = registrar.api.cells[0]?.uuid ?? '';
  const claim = {name: 'another', uuid: cell};
  await fails(t, clientOf(t, registrar.url).findCell({...place, claim}, signal()), 'conflict', /\[cell\] says another/);
});

test('a token that is refused is renewed once', async t => {
  await using registrar = await startRegistrar();
  const identity = identityOf('s3cr3t-old', tokens.service);
  t.is((await clientOf(t, registrar.url, identity).findCell(place, signal())).name, 'cell1');
  t.deepEqual(identity.invalidated, ['s3cr3t-old']);
  const never = identityOf('s3cr3t-old');
  await fails(
    t,
    clientOf(t, registrar.url, never).findCell(place, signal()),
    'unauthorized',
    /does not accept the token/,
  );
  t.is(never.invalidated.length, 1);
});

test('a registrar that is away, or is none, is worth another attempt', async t => {
  await fails(
    t,
    clientOf(t, await deadUrl()).findCell(place, signal()),
    'unavailable',
    /^the registrar at http:.*ECONNREFUSED/,
  );
  await using page = await startServer((_request, response) => response.end('<html>hello</html>'));
  await fails(t, clientOf(t, page.url).findCell(place, signal()), 'unavailable', /is no registrar: 200 OK/);
  await using other = await startServer((_request, response) =>
    sendJson(response, 200, {
      schema: 1,
      host: 'compute-1',
      node: 'n',
      uuid: `${uuid.slice(0, -1)}9`,
      cell: {name: 'x', uuid: 'y'},
      mapped: 'created',
    }),
  );
  const full = {...place, node: host.node, uuid};
  await fails(t, clientOf(t, other.url).map(full, {name: 'cell1', uuid: 'z'}, signal()), 'unavailable', /speaks of/);
});

test('a token is not sent in the clear, nor to who cannot prove to be the registrar', async t => {
  for (const url of ['http://registrar.example:8790', 'ftp://x', 'registrar', 'https://u:p@registrar', ''])
    t.throws(() => new RegistrarClient({url, transport: {}, identity: undefined}), {message: /^\[registrar\] url is/});
  await using authority = await makeAuthority();
  const own = await authority.issue('registrar', 'IP:127.0.0.1');
  await using registrar = await startRegistrar({tls: {cert: own.cert, key: own.key}});
  await fails(t, clientOf(t, registrar.url).findCell(place, signal()), 'config', /TLS/);
  t.deepEqual(registrar.keystone.seen, []);
  const trusting = clientOf(t, registrar.url, undefined, {cafile: authority.certFile});
  t.is((await trusting.findCell(place, signal())).name, 'cell1');
});

test('a certificate says who the host is, where the registrar asks for one', async t => {
  await using authority = await makeAuthority();
  const own = await authority.issue('registrar', 'IP:127.0.0.1');
  const mine = await authority.issue('compute-1', 'DNS:compute-1');
  await using registrar = await startRegistrar({
    tls: {cert: own.cert, key: own.key, ca: authority.cert},
    identification: {auth: 'certificate', validate: undefined},
  });
  const transport = {cafile: authority.certFile, certfile: mine.certFile, keyfile: mine.keyFile};
  const client = new RegistrarClient({url: registrar.url, transport, identity: undefined});
  t.teardown(() => client.close());
  t.is((await client.findCell(place, signal())).name, 'cell1');
  await fails(
    t,
    client.findCell({...place, host: 'compute-2'}, signal()),
    'forbidden',
    /may not register host compute-2/,
  );
});
