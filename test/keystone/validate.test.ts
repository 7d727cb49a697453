/** Tokens validated by a server that answers as Keystone does, and by the lab's real one: the same cases. */
import test from 'ava';
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

const good = {
  token: {user: {id: 'u', name: 'nova'}, project: {id: 'p', name: 'service'}, roles: [{id: 'r', name: 'service'}]},
};

test('user, project and roles are told; the catalog is not asked for', async t => {
  const {server, validate} = await validating([[200, good]]);
  await using _ = server;
  t.deepEqual(await validate(), {
    user: {id: 'u', name: 'nova'},
    project: {id: 'p', name: 'service'},
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

test('what is not a good answer says nothing for the token, and quotes none', async t => {
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
    [[[200, {token: {user: {id: 'u'}}}]], 'unavailable'],
    [[[204, good]], 'unavailable'],
  ] as const) {
    const {server, validate} = await validating([...answers] as [number, unknown][]);
    await using _ = server;
    await fails(t, validate(), kind, /Keystone|GET http/);
  }
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
  t.true(facts.roles.includes('service'), facts.roles.join());
  const broken = `${token.slice(0, -4)}aaaa`;
  await fails(t, validator.validate(broken, soon()), 'unauthorized', /does not accept the token/);
  const headers = {'X-Auth-Token': token, 'X-Subject-Token': token};
  await fetch(`${keystoneUrl.replace(/\/v3$/, '')}/v3/auth/tokens`, {method: 'DELETE', headers, signal: soon()});
  await fails(t, validator.validate(token, soon()), 'unauthorized', /does not accept the token/);
});
