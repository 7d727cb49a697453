import test from 'ava';
import {type Authority, makeAuthority, type Pair} from './certificates.ts';
import {host, startRegistrar, tokens} from './setup.ts';

let ours: Authority;
let others: Authority;
let own: Pair;
let compute1: Pair;
let compute2: Pair;

test.before(async () => {
  [ours, others] = [await makeAuthority('ours'), await makeAuthority('others')];
  own = await ours.issue('registrar', 'IP:127.0.0.1');
  compute1 = await ours.issue('whoever', 'DNS:compute-1');
  compute2 = await ours.issue('compute-2');
});

test.after.always(async () => {
  await ours?.[Symbol.asyncDispose]();
  await others?.[Symbol.asyncDispose]();
});

const serving = () => ({cert: own.cert, key: own.key, ca: ours.cert});
const showing = (pair: Pair | undefined) => ({ca: ours.cert, ...(pair && {cert: pair.cert, key: pair.key})});

test('with certificates a host registers itself, and no other; no token is needed', async t => {
  await using registrar = await startRegistrar({
    tls: serving(),
    identification: {auth: 'certificate', validate: undefined},
  });
  const good = await registrar.ask({token: undefined, tls: showing(compute1)});
  t.is(good.status, 200, good.text);
  const other = await registrar.ask({token: undefined, tls: showing(compute2)});
  t.is(other.status, 403);
  t.regex(other.text, /certificate compute-2 .*may not register host compute-1/);
  t.is(
    (await registrar.ask({token: undefined, tls: showing(compute1), method: 'GET', path: '/v1/hosts/compute-2'}))
      .status,
    403,
  );
  t.is((await registrar.ask({token: tokens.service, tls: showing(undefined)})).status, 401);
  t.is((await registrar.ask({method: 'GET', path: '/healthz', tls: showing(undefined)})).status, 200);
  t.deepEqual(registrar.keystone.seen, []);
});

test('a certificate that others vouch for is none', async t => {
  const foreign = await others.issue('x', 'DNS:compute-1');
  await using registrar = await startRegistrar({
    tls: serving(),
    identification: {auth: 'certificate', validate: undefined},
  });
  const reply = await registrar.ask({token: undefined, tls: showing(foreign)});
  t.is(reply.status, 401);
  t.regex(reply.text, /no client certificate was shown that an accepted authority vouches for/);
  t.deepEqual(registrar.seen, []);
});

test('where both are asked for, one is not enough, and the certificate still names the host', async t => {
  await using registrar = await startRegistrar({tls: serving(), identification: {auth: 'both'}});
  t.is((await registrar.ask({tls: showing(undefined)})).status, 401);
  t.is((await registrar.ask({token: undefined, tls: showing(compute1)})).status, 401);
  t.is((await registrar.ask({token: tokens.member, tls: showing(compute1)})).status, 403);
  t.is((await registrar.ask({tls: showing(compute2)})).status, 403);
  t.is((await registrar.ask({tls: showing(compute1)})).status, 200);
  const show = (name: string) => ({method: 'GET', path: `/v1/hosts/${name}`});
  t.is((await registrar.ask({...show('compute-1'), tls: showing(undefined)})).status, 401);
  t.is((await registrar.ask({...show('compute-1'), tls: showing(compute2)})).status, 403);
  t.is((await registrar.ask({...show('compute-1'), tls: showing(compute1)})).status, 200);
  for (const pair of [undefined, compute2])
    t.is((await registrar.ask({...show('compute-1'), token: tokens.admin, tls: showing(pair)})).status, 200);
  t.is((await registrar.ask({token: tokens.admin, tls: showing(compute1)})).status, 403, 'to see, and no more');
  const audit = registrar.lines().find(line => line['audit'] === true);
  t.regex(
    String(audit?.['by']),
    /^user nova \(Default\) in project service \(Default\), certificate compute-1 \(serial 0?2\)$/,
  );
});

test('certificate_names_host = false: any certificate of ours registers any host', async t => {
  await using registrar = await startRegistrar({
    tls: serving(),
    identification: {auth: 'certificate', validate: undefined, certificateNamesHost: false},
  });
  t.is((await registrar.ask({token: undefined, tls: showing(compute2), body: host})).status, 200);
});

test('plain HTTP and old TLS do not get through', async t => {
  await using registrar = await startRegistrar({tls: serving(), identification: {auth: 'token'}});
  const old = {minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0'} as const;
  await t.throwsAsync(registrar.ask({tls: {ca: ours.cert, ...old}}));
  await t.throwsAsync(fetch(`http://127.0.0.1:${registrar.port}/healthz`));
  await t.throwsAsync(registrar.ask({tls: {}}), {message: /unable to (get local issuer|verify)|self-signed/});
});
