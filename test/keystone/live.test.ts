/** The session against the lab's real Keystone. */
import test, {type ExecutionContext} from 'ava';
import type {AuthOptions} from '../../src/keystone/auth.ts';
import {Session} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {type Account, openstack} from '../lab/shared.ts';

const {keystoneUrl, glanceUrl, region, service, ...stack} = openstack();
const soon = () => AbortSignal.timeout(60_000);

function authOf({username, password, project, domain}: Account): AuthOptions {
  return {
    auth_type: 'password',
    auth_url: keystoneUrl,
    username,
    password,
    user_domain_name: domain,
    project_name: project,
    project_domain_name: domain,
  };
}

function open(t: ExecutionContext, auth: AuthOptions): Session {
  const session = new Session(auth);
  t.teardown(() => session.close());
  return session;
}

type Token = {
  user: {id: string; name: string};
  project?: {name: string};
  roles: {name: string}[];
  methods: string[];
};

/** What Keystone itself says of a token. */
async function inspectToken(token: string): Promise<Token> {
  const headers = {'X-Auth-Token': token, 'X-Subject-Token': token};
  const response = await fetch(`${keystoneUrl}/auth/tokens`, {headers, signal: soon()});
  if (!response.ok) throw new Error(`Keystone does not know the token: ${response.status}`);
  return ((await response.json()) as {token: Token}).token;
}

type Created = Record<string, Record<string, string>>;

async function post(path: string, token: string, body: object): Promise<Created> {
  const headers = {'X-Auth-Token': token, 'Content-Type': 'application/json'};
  const response = await fetch(`${keystoneUrl}/${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    signal: soon(),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Created;
}

test('a password gives a token of that user in that project', async t => {
  const token = await open(t, authOf(service)).token(soon());
  const {user, project, roles} = await inspectToken(token);
  t.is(user.name, 'cellar');
  t.is(project?.name, 'service');
  t.true(roles.some(({name}) => name === 'service'));
});

for (const [name, cut] of [
  ['with', ''],
  ['without', '/v3'],
] as const) {
  test(`auth_url ${name} /v3`, async t => {
    const auth_url = keystoneUrl.replace(new RegExp(`${cut}$`), '');
    await t.notThrowsAsync(open(t, {...authOf(service), auth_url}).token(soon()));
  });
}

test('a token is kept, and replaced once it is invalidated', async t => {
  const session = open(t, authOf(service));
  const first = await session.token(soon());
  t.is(await session.token(soon()), first);
  session.invalidate(first);
  const second = await session.token(soon());
  t.not(second, first);
  t.is((await inspectToken(second)).user.name, 'cellar');
});

test('a token without a scope, in a domain, and one traded for another scope', async t => {
  const {project_name: _, project_domain_name: __, ...unscoped} = authOf(service);
  const plain = await open(t, unscoped).token(soon());
  t.is((await inspectToken(plain)).project, undefined);
  const traded = open(t, {
    auth_type: 'v3token',
    auth_url: keystoneUrl,
    token: plain,
    project_name: 'service',
    project_domain_name: 'Default',
  });
  t.is((await inspectToken(await traded.token(soon()))).project?.name, 'service');
});

test('an application credential', async t => {
  const token = await open(t, authOf(service)).token(soon());
  const {user} = await inspectToken(token);
  const name = `live-${process.pid}-${Date.now()}`;
  const {application_credential: made} = await post(`users/${user.id}/application_credentials`, token, {
    application_credential: {name, roles: [{name: 'service'}]},
  });
  const auth = {
    auth_type: 'v3applicationcredential',
    auth_url: keystoneUrl,
    application_credential_secret: made?.['secret'],
  };
  const byId = await inspectToken(await open(t, {...auth, application_credential_id: made?.['id']}).token(soon()));
  t.deepEqual(byId.methods, ['application_credential']);
  t.is(byId.project?.name, 'service');
  const {username, user_domain_name} = authOf(service);
  const byName = open(t, {...auth, application_credential_name: name, username, user_domain_name});
  t.is((await inspectToken(await byName.token(soon()))).user.name, 'cellar');
  const wrong = open(t, {...auth, application_credential_id: made?.['id'], application_credential_secret: 's3cr3t'});
  await fails(t, wrong.token(soon()), 'unauthorized', /for application credential [0-9a-f]{32}: 401/i);
});

test('the catalog says where Glance is', async t => {
  const session = open(t, authOf(service));
  const query = {service_type: 'image', region_name: region, valid_interfaces: ['internal', 'public']};
  t.is(await session.endpoint(query, soon()), glanceUrl);
  await fails(
    t,
    session.endpoint({...query, region_name: 'Mars'}, soon()),
    'config',
    /in region Mars; it has: .*image.*RegionOne/,
  );
});

test('a wrong password is unauthorized and says who was refused', async t => {
  const session = open(t, {...authOf(service), password: 's3cr3t-wrong'});
  const error = await fails(
    t,
    session.token(soon()),
    'unauthorized',
    /for user cellar \(domain Default\) in project service/,
  );
  t.regex(error.message, /: 401 .*The request you have made requires authentication/);
  t.regex(error.hint ?? '', /password/);
});

test("so is a project that is not there or not the user's", async t => {
  const {username} = await stack.createProject(`live-keystone-${process.pid}-${Date.now()}`);
  for (const project of ['nowhere', username]) {
    await fails(
      t,
      open(t, authOf({...service, project})).token(soon()),
      'unauthorized',
      new RegExp(`in project ${project} .*: 401`),
    );
  }
});

test('Keystone under another path is a config error', async t => {
  await fails(t, open(t, {...authOf(service), auth_url: `${keystoneUrl}/wrong`}).token(soon()), 'config', /404/);
});
