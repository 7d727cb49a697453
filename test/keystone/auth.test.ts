import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {type AuthOptions, authRequest, tokensUrl} from '../../src/keystone/auth.ts';

const password = {
  auth_type: 'password',
  auth_url: 'http://k',
  username: 'nova',
  password: 'pw',
  user_domain_name: 'Default',
};
const identity = {methods: ['password'], password: {user: {name: 'nova', domain: {name: 'Default'}, password: 'pw'}}};

test('a password with each scope', t => {
  const scope = (rest: object) => (authRequest({...password, ...rest}).body as {auth: {scope?: unknown}}).auth;
  t.deepEqual(scope({}), {identity});
  t.deepEqual(scope({project_id: 'p1'}), {identity, scope: {project: {id: 'p1'}}});
  t.deepEqual(scope({project_name: 'p', project_domain_id: 'd'}), {
    identity,
    scope: {project: {name: 'p', domain: {id: 'd'}}},
  });
  t.deepEqual(scope({domain_id: 'd1'}), {identity, scope: {domain: {id: 'd1'}}});
  t.deepEqual(scope({domain_name: 'D'}), {identity, scope: {domain: {name: 'D'}}});
  t.deepEqual(scope({system_scope: 'all'}), {identity, scope: {system: {all: true}}});
  t.deepEqual(scope({trust_id: 't1'}), {identity, scope: {'OS-TRUST:trust': {id: 't1'}}});
});

test('a user by id needs no domain; default_domain_* stands in for user and project', t => {
  const byId = authRequest({auth_type: 'v3password', auth_url: 'http://k', user_id: 'u1', password: 'pw'});
  t.deepEqual(byId.body, {auth: {identity: {methods: ['password'], password: {user: {id: 'u1', password: 'pw'}}}}});
  const {user_domain_name: _, ...rest} = password;
  const byDefault = authRequest({...rest, project_name: 'p', default_domain_id: 'default'});
  t.like(byDefault.body, {auth: {scope: {project: {name: 'p', domain: {id: 'default'}}}}});
  t.like(byDefault.body, {auth: {identity: {password: {user: {name: 'nova', domain: {id: 'default'}}}}}});
});

test('an application credential by id, or by name and user, never with a scope', t => {
  const base = {
    auth_type: 'v3applicationcredential',
    auth_url: 'http://k',
    application_credential_secret: 's',
    project_id: 'p',
  };
  const methods = ['application_credential'];
  t.deepEqual(authRequest({...base, application_credential_id: 'a1'}).body, {
    auth: {identity: {methods, application_credential: {id: 'a1', secret: 's'}}},
  });
  t.deepEqual(authRequest({...base, application_credential_name: 'a', username: 'u', user_domain_id: 'd'}).body, {
    auth: {identity: {methods, application_credential: {name: 'a', secret: 's', user: {name: 'u', domain: {id: 'd'}}}}},
  });
});

test('a token is traded for one of another scope', t => {
  t.deepEqual(authRequest({auth_type: 'v3token', auth_url: 'http://k', token: 'abc', project_id: 'p'}).body, {
    auth: {identity: {methods: ['token'], token: {id: 'abc'}}, scope: {project: {id: 'p'}}},
  });
});

const incomplete: [Partial<AuthOptions>, RegExp][] = [
  [{password: undefined}, /^password is not set, and auth_type password needs it$/],
  [{username: ''}, /^username is not set/],
  [{user_domain_name: undefined}, /^user_domain_name is not set$/],
  [{project_name: 'p'}, /^project_domain_name is not set$/],
  [{auth_type: 'v3kerberos'}, /^auth_type v3kerberos is not supported$/],
  [{auth_type: 'v3token'}, /^token is not set/],
  [{auth_type: 'v3applicationcredential'}, /^application_credential_secret is not set/],
];

for (const [change, message] of incomplete) {
  test(`config error: ${message.source}`, t => {
    const error = t.throws(() => authRequest({...password, ...change}), {instanceOf: CellarError, message});
    t.is(error.kind, 'config');
  });
}

test('auth_url may end in a version and slashes', t => {
  for (const end of ['', '/', '/v3', '/v3/', '/v2.0'])
    t.is(tokensUrl(`http://k:5000${end}`), 'http://k:5000/v3/auth/tokens');
  t.is(tokensUrl('https://cloud/identity/v3'), 'https://cloud/identity/v3/auth/tokens');
  t.is(tokensUrl('https://user:pw@cloud/identity?x=1'), 'https://cloud/identity/v3/auth/tokens');
  for (const bad of ['', 'keystone:5000', 'ftp://k'])
    t.throws(() => tokensUrl(bad), {message: 'auth_url is not an http(s) URL'});
});
