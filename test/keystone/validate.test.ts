/** Tokens validated by a server that answers as Keystone does, and by the lab's real one: the same cases. */
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {Session} from '../../src/keystone/session.ts';
import {TokenValidator} from '../../src/keystone/validate.ts';
import {fails} from '../helpers/fails.ts';
import {sendJson, startServer} from '../helpers/with-server.ts';
import {type Account, openstack} from '../lab/shared.ts';

const soon = () => AbortSignal.timeout(60_000);
const subject = 's3cr3t-subject';

/** Answers these, one after the other. */
async function validating(answers: [number, unknown][]) {
  const server = await startServer((_request, response) => {
    const [status, body] = answers.shift() ?? [500, {}];
    sendJson(response, status, body);
  });
  const invalidated: string[] = [];
  let count = 0;
  const asker = {
    token: async () => {
      count += 1;
      return `s3cr3t-own-${count}`;
    },
    invalidate: (token: string) => invalidated.push(token),
  };
  const validator = new TokenValidator(asker, `${server.url}/v3`);
  return {server, invalidated, validate: () => validator.validate(subject, soon())};
}

const domain = {id: 'default', name: 'Default'};
const good = {
  token: {
    user: {id: 'u', name: 'nova', domain},
    project: {id: 'p', name: 'service', domain},
    roles: [{id: 'r', name: 'service'}],
  },
};

test('user, project, their domains and roles are told; the catalog is not asked for', async t => {
  const {server, validate} = await validating([[200, good]]);
  await using _ = server;
  t.deepEqual(await validate(), {
    user: {id: 'u', name: 'nova', domain},
    project: {id: 'p', name: 'service', domain},
    roles: ['service'],
  });
  t.is(server.seen[0]?.path, '/v3/auth/tokens?nocatalog=1');
  t.is(server.seen[0]?.headers['x-subject-token'], subject);
  t.is(server.seen[0]?.headers['x-auth-token'], 's3cr3t-own-1');
});

test('a token of our own that is refused is renewed once', async t => {
  const {server, validate, invalidated} = await validating([
    [401, {}],
    [200, good],
  ]);
  await using _ = server;
  t.is((await validate()).user.name, 'nova');
  t.deepEqual(invalidated, ['s3cr3t-own-1']);
  t.is(server.seen[1]?.headers['x-auth-token'], 's3cr3t-own-2');
});

test('a domain that is none is as if there were none', async t => {
  const user = {id: 'u', name: 'federated', domain: {id: null, name: null}};
  const {server, validate} = await validating([[200, {token: {...good.token, user, project: {id: 'p', name: 'p'}}}]]);
  await using _ = server;
  const facts = await validate();
  t.is(facts.user.domain, undefined);
  t.is(facts.project?.domain, undefined);
});

test('what is not a good answer says nothing for the token, and tells its owner nothing of us', async t => {
  const said = {error: {message: `Could not find token: ${subject}.`}};
  for (const [answers, kind] of [
    [[[404, said]], 'unauthorized'],
    [
      [
        [401, said],
        [401, said],
      ],
      'unavailable',
    ],
    [[[403, said]], 'unavailable'],
    [[[500, said]], 'unavailable'],
    [[[300, said]], 'unavailable'],
    [[[200, {}]], 'unavailable'],
    [[[200, {token: {...good.token, user: {id: 'u'}}}]], 'unavailable'],
    [[[204, good]], 'unavailable'],
  ] as const) {
    const {server, validate} = await validating([...answers] as [number, unknown][]);
    await using _ = server;
    const error = await fails(
      t,
      validate(),
      kind,
      /^(Keystone does not accept the token|the token cannot be validated now)$/,
    );
    const why = error.cause;
    if (kind === 'unavailable')
      t.regex(why instanceof CellarError ? why.message : '', /^GET http\S+ to validate a token: /);
    for (const text of [error.message, error.hint ?? '', String(why)]) t.false(text.includes(subject), text);
    t.false(`${error.message}${error.hint}`.includes(server.url));
  }
});

test('a login of our own that fails is not the fault of the token', async t => {
  for (const [kind, told] of [
    ['unauthorized', 'unavailable'],
    ['config', 'unavailable'],
    ['forbidden', 'unavailable'],
    ['not-found', 'unavailable'],
    ['timeout', 'timeout'],
    ['cancelled', 'cancelled'],
  ] as const) {
    const own = new CellarError(kind, 'POST http://keystone.inner/v3/auth/tokens for user nova', {
      hint: 'check the password',
    });
    const validator = new TokenValidator(
      {token: () => Promise.reject(own), invalidate: () => {}},
      'http://keystone.inner',
    );
    t.teardown(() => validator.close());
    const error = await fails(t, validator.validate(subject, soon()), told, /./);
    if (kind === 'cancelled') continue;
    t.is(error.message, 'the token cannot be validated now');
    t.notRegex(error.hint ?? '', /password/);
    t.is(error.cause, own);
  }
});

test('what ends the request is passed on', async t => {
  const ended = new CellarError('timeout', 'the request was not done within 1 s');
  const token = (signal: AbortSignal) => Promise.reject(signal.reason);
  const validator = new TokenValidator({token, invalidate: () => {}}, 'http://keystone.inner');
  t.teardown(() => validator.close());
  const error = await fails(t, validator.validate(subject, AbortSignal.abort(ended)), 'timeout', /within 1 s/);
  t.is(error, ended);
});

const {keystoneUrl, service} = openstack();

const sessionOf = ({username, password, project, domain}: Account) =>
  new Session({
    auth_type: 'password',
    auth_url: keystoneUrl,
    username,
    password,
    user_domain_name: domain,
    project_name: project,
    project_domain_name: domain,
  });

test('the real Keystone: a service token is told with its role, a strange or revoked one is refused', async t => {
  const [own, other] = [sessionOf(service), sessionOf(service)];
  t.teardown(() => own.close());
  t.teardown(() => other.close());
  const validator = new TokenValidator(own, keystoneUrl);
  t.teardown(() => validator.close());
  const token = await other.token(soon());
  const facts = await validator.validate(token, soon());
  t.is(facts.user.name, service.username);
  t.is(facts.project?.name, service.project);
  t.is(facts.user.domain?.name, service.domain);
  t.is(facts.project?.domain?.name, service.domain);
  t.true(facts.roles.includes('service'), facts.roles.join());
  const broken = `${token.slice(0, -4)}aaaa`;
  await fails(t, validator.validate(broken, soon()), 'unauthorized', /does not accept the token/);
  const headers = {'X-Auth-Token': token, 'X-Subject-Token': token};
  await fetch(`${keystoneUrl.replace(/\/v3$/, '')}/v3/auth/tokens`, {method: 'DELETE', headers, signal: soon()});
  await fails(t, validator.validate(token, soon()), 'unauthorized', /does not accept the token/);
});
