import {once} from 'node:events';
import {connect} from 'node:net';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import pino from 'pino';
import {createRegistrarMeters} from '../../src/registrar/metrics.ts';
import {observeRequests} from '../../src/registrar/observe.ts';
import {waitFor} from '../lab/run.ts';
import {password} from './nova.ts';
import {host, type Reply, startRegistrar, type TestRegistrar, tokens, uuid} from './setup.ts';

const kindOf = ({json}: Reply) => (json['error'] as {kind?: string} | undefined)?.kind;
const messageOf = ({json}: Reply) => String((json['error'] as {message?: string} | undefined)?.message);

/** Neither the answers nor the log hold a token, a password or the URL of a message bus. */
function noSecrets(t: ExecutionContext, {log}: TestRegistrar, ...replies: Reply[]): void {
  const all = [...log, ...replies.flatMap(({text: said, headers}) => [said, JSON.stringify(headers)])].join('\n');
  for (const secret of ['s3cr3t', password, 'rabbit://']) t.false(all.includes(secret), secret);
}

/** What comes back for a POST /v1/hosts with this after its first headers, until the server closes. */
async function raw({port}: TestRegistrar, token: string, rest: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /v1/hosts HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${token}\r\nContent-Type: application/json\r\n${rest}`,
  );
  return text(socket);
}

test('with a token of a service user a host is mapped; answers hold names and uuids only', async t => {
  await using registrar = await startRegistrar();
  const found = await registrar.ask({path: '/v1/cell', body: {host: 'compute-1', cell: 'cell1'}});
  const cell = {name: 'cell1', uuid: registrar.api.cells[0]?.uuid};
  t.deepEqual(found.json, {schema: 1, host: 'compute-1', cell});
  const made = await registrar.ask();
  t.is(made.status, 200);
  t.deepEqual(made.json, {schema: 1, host: 'compute-1', node: 'compute-1.example', uuid, cell, mapped: 'created'});
  const again = await registrar.ask();
  t.is(again.json['mapped'], 'existing');
  const shown = await registrar.ask({method: 'GET', path: '/v1/hosts/compute-1'});
  t.deepEqual(shown.json, {schema: 1, host: 'compute-1', cell});
  t.is(made.headers['cache-control'], 'no-store');
  t.regex(String(made.headers['x-openstack-request-id']), /^req-/);
  await waitFor('the log', async () => {
    if (registrar.lines().filter(({event}) => event === 'request').length < 4) throw new Error('not yet');
  });
  const audit = registrar.lines().filter(line => line['audit'] === true);
  t.is(audit.length, 1);
  t.like(audit[0], {
    event: 'host-mapped',
    host: 'compute-1',
    node: 'compute-1.example',
    uuid,
    cell: 'cell1',
    cellUuid: cell.uuid,
    by: 'user nova (Default) in project service (Default)',
    peer: '127.0.0.1',
    requestId: made.headers['x-openstack-request-id'],
  });
  noSecrets(t, registrar, found, made, again, shown);
});

test('a change of which nobody knows whether it was made is a line of the audit log, and not counted', async t => {
  const log: string[] = [];
  const meters = createRegistrarMeters();
  const {onChange} = observeRequests(pino({}, {write: line => log.push(line)}), meters);
  const cell = {name: 'cell1', uuid: 'ce110001-0000-4000-8000-000000000001'};
  const change = {action: 'host-mapped', host: 'compute-1', node: 'n', uuid, cell, outcome: 'unknown'} as const;
  const by = {requestId: 'req-1', peer: '::1', by: 'user nova', method: 'POST', path: '/v1/hosts', host: 'compute-1'};
  onChange(change, {...by, status: 200, ms: 0});
  t.like(JSON.parse(log[0] ?? ''), {audit: true, event: 'host-mapped', outcome: 'unknown', by: 'user nova', level: 40});
  t.regex((await meters.expose()).text, /^cellar_registrar_changes_total\{change="host-mapped"\} 0$/m);
});

test('without a token, with a strange one, or without the role nobody gets as far as Nova', async t => {
  await using registrar = await startRegistrar();
  const none = await registrar.ask({token: undefined});
  const strange = await registrar.ask({token: 's3cr3t-of-nobody'});
  const member = await registrar.ask({token: tokens.member});
  const odd = await registrar.ask({token: 'two words'});
  t.deepEqual([none.status, strange.status, member.status, odd.status], [401, 401, 403, 400]);
  t.is(none.headers['www-authenticate'], 'Keystone');
  t.deepEqual(registrar.seen, []);
  t.is(registrar.keystone.seen.filter(({method}) => method === 'GET').length, 2);
  noSecrets(t, registrar, none, strange, member, odd);
});

test('an administrator sees which cell a host is in, and has nothing done', async t => {
  await using registrar = await startRegistrar({
    identification: {rules: {roles: ['service'], projects: ['other'], domain: 'default'}},
  });
  const show = {method: 'GET', path: '/v1/hosts/compute-1'};
  const shown = await registrar.ask({...show, token: tokens.admin});
  t.is(shown.status, 200, shown.text);
  t.deepEqual(shown.json, {schema: 1, host: 'compute-1', cell: null});
  const statuses = [
    await registrar.ask({token: tokens.admin}),
    await registrar.ask({token: tokens.admin, path: '/v1/cell', body: {host: 'compute-1', cell: 'cell1'}}),
    await registrar.ask({...show, token: tokens.member}),
    await registrar.ask({...show, token: tokens.service}),
  ].map(({status}) => status);
  t.deepEqual(statuses, [403, 403, 403, 403]);
  t.deepEqual(
    registrar.seen.map(({call}) => call),
    ['HostMapping.get_by_host'],
  );
  noSecrets(t, registrar, shown);
});

test("the registrar's own login is refused: the agent is to come back, and is told nothing of it; the log says what", async t => {
  await using registrar = await startRegistrar({refused: true});
  const refused = await registrar.ask();
  t.is(refused.status, 503, refused.text);
  t.like(refused.json['error'], {kind: 'unavailable', message: 'the token cannot be validated now'});
  for (const ours of ['cellar', 'Default', registrar.keystone.url, '/v3']) {
    t.false(refused.text.replaceAll('cellar-registrar', '').includes(ours), refused.text);
  }
  await waitFor('the log', async () => {
    if (!registrar.lines().some(({event}) => event === 'request')) throw new Error('not yet');
  });
  const [line] = registrar.lines().filter(({event}) => event === 'request');
  t.regex(String(line?.['cause']), /^POST http\S+\/v3\/auth\/tokens for user cellar .*401/);
  t.regex(String(line?.['hint']), /password/);
  t.deepEqual(registrar.seen, []);
  noSecrets(t, registrar, refused);
});

test('one login at Keystone serves all requests', async t => {
  await using registrar = await startRegistrar();
  t.is((await registrar.ask()).status, 200);
  t.is((await registrar.ask()).status, 200);
  t.is(registrar.keystone.lines().filter(line => line.startsWith('POST')).length, 1);
});

test('a wrong claim is a conflict that names both, and nothing is written', async t => {
  await using registrar = await startRegistrar();
  const wrong = await registrar.ask({body: {...host, cell: 'cell2'}});
  t.is(wrong.status, 409);
  t.regex(messageOf(wrong), /compute-1 is not mapped to cell cell2 .*is not in its database/);
  const contradicted = await registrar.ask({
    body: {...host, cell: 'cell1', bus: {servers: ['127.0.0.1:5672'], virtualHost: 'cell2'}},
  });
  t.is(contradicted.status, 409);
  t.is(registrar.api.mappings.size, 0);
  t.deepEqual(
    registrar.seen.filter(({call}) => /create|save/.test(call)),
    [],
  );
  noSecrets(t, registrar, wrong, contradicted);
});

test('requests that are not ones are refused by name, before Nova is asked', async t => {
  await using registrar = await startRegistrar();
  for (const [request, status, message] of [
    [{path: '/v1/host'}, 404, /no such path/],
    [{path: '/v1/hosts/a/b', method: 'GET'}, 404, /no such path/],
    [{path: '/v1/hosts?x=1'}, 404, /no such path/],
    [{method: 'DELETE'}, 405, /takes POST, not DELETE/],
    [{method: 'GET', path: '/v1/hosts/%2Fetc'}, 400, /the host: may hold/],
    [{method: 'GET', path: '/v1/hosts/%zz'}, 400, /broken percent escape/],
    [{body: '{'}, 400, /not JSON/],
    [{body: '[]'}, 400, /the host: /],
    [{body: {}}, 400, /host is missing; node is missing; uuid is missing/],
    [{body: {...host, uuid: 'x'}}, 400, /uuid must be a UUID/],
    [{body: {...host, host: 'a b'}}, 400, /host may hold printable/],
    [{body: {...host, host: 'a\nb'}}, 400, /host may hold printable/],
    [{body: {...host, node: 'x'.repeat(256)}}, 400, /node is longer than 255/],
    [{body: {...host, transport_url: 'rabbit://'}}, 400, /unknown field "transport_url"/],
    [{headers: {'Content-Type': 'text/plain'}}, 415, /not application\/json/],
    [{headers: {Origin: 'http://evil.example'}}, 403, /Origin/],
  ] as const) {
    const reply = await registrar.ask(request as Parameters<TestRegistrar['ask']>[0]);
    t.is(reply.status, status, JSON.stringify(request));
    t.regex(messageOf(reply), message);
  }
  t.deepEqual(registrar.seen, []);
});

test('a body that is too large is refused by its length, and by what comes', async t => {
  await using registrar = await startRegistrar();
  const big = `{"host":"${' '.repeat(64 * 1024)}"}`;
  const told = await raw(registrar, tokens.service, `Content-Length: ${big.length}\r\n\r\n`);
  t.regex(told, /Connection: close/, 'what is left of it is not read');
  const come = `Transfer-Encoding: chunked\r\n\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`;
  const untold = await raw(registrar, tokens.service, come);
  for (const answer of [told, untold]) {
    t.regex(answer, /^HTTP\/1\.1 413 .*the body is larger than 65536 bytes/s);
  }
  t.deepEqual(registrar.seen, []);
});

test('a body that comes too slowly is given up; who is not known is not read at all', async t => {
  await using registrar = await startRegistrar({timeouts: {headers: 5000, body: 200, request: 20_000}});
  const begun = 'Content-Length: 100\r\n\r\n{';
  t.regex(await raw(registrar, tokens.service, begun), /^HTTP\/1.1 408 .*the body did not arrive within 200 ms/s);
  t.regex(await raw(registrar, 's3cr3t-of-nobody', begun), /^HTTP\/1.1 401 /);
});

test('who asks too often is told when to come back, before Keystone is asked; health is always answered', async t => {
  await using registrar = await startRegistrar({rateLimit: 3});
  const replies: Reply[] = [];
  for (let n = 0; n < 5; n += 1) replies.push(await registrar.ask());
  t.deepEqual(
    replies.map(({status}) => status),
    [200, 200, 200, 429, 429],
  );
  t.is(registrar.keystone.seen.filter(({method}) => method === 'GET').length, 3);
  t.regex(String(replies[3]?.headers['retry-after']), /^(1?\d|20)$/);
  t.is(kindOf(replies[3] as Reply), 'unavailable');
  t.deepEqual((await registrar.ask({method: 'GET', path: '/healthz', token: undefined})).json, {
    schema: 1,
    state: 'ok',
  });
});

test('more requests than may be worked on at once are told to come back', async t => {
  const gate = Promise.withResolvers<void>();
  await using registrar = await startRegistrar({maxRequests: 2, before: () => gate.promise});
  const first = [registrar.ask(), registrar.ask()];
  await waitFor('both at work', async () => {
    if (registrar.seen.length < 2) throw new Error('not yet');
  });
  const third = await registrar.ask();
  t.is(third.status, 503);
  t.is(third.headers['retry-after'], '1');
  gate.resolve();
  t.deepEqual(
    (await Promise.all(first)).map(({status}) => status),
    [200, 200],
  );
});

test('stopping, it answers what it works on and takes nothing more', async t => {
  const gate = Promise.withResolvers<void>();
  await using registrar = await startRegistrar({before: () => gate.promise});
  const running = registrar.ask();
  await waitFor('one at work', async () => {
    if (registrar.seen.length < 1) throw new Error('not yet');
  });
  const drained = registrar.drain();
  await t.throwsAsync(registrar.ask(), {code: 'ECONNREFUSED'});
  gate.resolve();
  t.is((await running).status, 200);
  await drained;
});

test('a caller that goes away is let go', async t => {
  const gate = Promise.withResolvers<void>();
  await using registrar = await startRegistrar({before: () => gate.promise});
  const socket = connect(registrar.port, '127.0.0.1');
  const body = JSON.stringify(host);
  socket.write(
    `POST /v1/hosts HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${tokens.service}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await waitFor('it at work', async () => {
    if (registrar.seen.length < 1) throw new Error('not yet');
  });
  socket.destroy();
  await once(socket, 'close');
  gate.resolve();
  await waitFor('the end of it', async () => {
    if (!registrar.lines().some(line => line['kind'] === 'cancelled' || line['msg'] === 'answered'))
      throw new Error('not yet');
  });
  t.is((await registrar.ask()).status, 200);
});
