/** keystoneauth's auth options, and the request for a token that they mean. */
import {CellarError} from '../core/errors.ts';

type Text = string | undefined;

/** Named as in nova.conf (keystoneauth1/loading). What a plugin does not know is ignored, as keystoneauth does. */
export type AuthOptions = {
  auth_type: string;
  /** With or without /v3. */
  auth_url: string;
  username?: Text;
  user_id?: Text;
  user_domain_id?: Text;
  user_domain_name?: Text;
  password?: Text;
  application_credential_id?: Text;
  /** Needs the user as well. */
  application_credential_name?: Text;
  application_credential_secret?: Text;
  /** Of auth_type v3token: a token to trade for another one. */
  token?: Text;
  project_id?: Text;
  project_name?: Text;
  project_domain_id?: Text;
  project_domain_name?: Text;
  domain_id?: Text;
  domain_name?: Text;
  /** `all`, the only system there is. */
  system_scope?: Text;
  trust_id?: Text;
  /** For the user's and the project's domain, where these are not given. */
  default_domain_id?: Text;
  default_domain_name?: Text;
};

export type AuthRequest = {
  /** Of POST /v3/auth/tokens. */
  body: object;
  /** Who asks for what, for messages. */
  who: string;
  /** What is secret in the body. */
  secrets: string[];
};

/** The request these options mean; `config` when one is missing. */
export function authRequest(options: AuthOptions): AuthRequest {
  switch (options.auth_type) {
    case 'password':
    case 'v3password':
      return passwordRequest(options);
    case 'v3applicationcredential':
      return applicationCredentialRequest(options);
    case 'token':
    case 'v3token':
      return tokenRequest(options);
    default:
      throw new CellarError('config', `auth_type ${options.auth_type} is not supported`, {
        hint: 'use password, v3password, v3applicationcredential or v3token',
      });
  }
}

/** The address of Keystone's v3 API: a version in it is replaced. */
export function tokensUrl(authUrl: string): string {
  const url = URL.parse(authUrl);
  if (!url || !/^https?:$/.test(url.protocol)) throw new CellarError('config', 'auth_url is not an http(s) URL');
  const base = url.pathname.replace(/\/+$/, '').replace(/\/v(2\.0|3)$/, '');
  return `${url.origin}${base}/v3/auth/tokens`;
}

function passwordRequest(options: AuthOptions): AuthRequest {
  const password = required(options, 'password');
  const {user, name} = userOf(options);
  const scope = scopeOf(options);
  return {
    body: {auth: {identity: {methods: ['password'], password: {user: {...user, password}}}, ...scope.body}},
    who: `user ${name} ${scope.name}`,
    secrets: [password],
  };
}

function applicationCredentialRequest(options: AuthOptions): AuthRequest {
  const secret = required(options, 'application_credential_secret');
  const id = options.application_credential_id;
  const name = id ?? required(options, 'application_credential_name');
  const credential = id ? {id, secret} : {name, secret, user: userOf(options).user};
  // No scope: the credential has one of its own, and Keystone refuses any other.
  return {
    body: {auth: {identity: {methods: ['application_credential'], application_credential: credential}}},
    who: `application credential ${name}`,
    secrets: [secret],
  };
}

function tokenRequest(options: AuthOptions): AuthRequest {
  const token = required(options, 'token');
  const scope = scopeOf(options);
  return {
    body: {auth: {identity: {methods: ['token'], token: {id: token}}, ...scope.body}},
    who: `the configured token ${scope.name}`,
    secrets: [token],
  };
}

function userOf(options: AuthOptions): {user: object; name: string} {
  if (options.user_id) return {user: {id: options.user_id}, name: options.user_id};
  const name = required(options, 'username');
  const {domain, label} = domainOf(options, 'user');
  return {user: {name, domain}, name: `${name} (domain ${label})`};
}

function scopeOf(options: AuthOptions): {body: object; name: string} {
  const {project_id, project_name, domain_id, domain_name, system_scope, trust_id} = options;
  if (trust_id) return {body: {scope: {'OS-TRUST:trust': {id: trust_id}}}, name: `by trust ${trust_id}`};
  if (project_id) return {body: {scope: {project: {id: project_id}}}, name: `in project ${project_id}`};
  if (project_name) {
    const {domain, label} = domainOf(options, 'project');
    return {
      body: {scope: {project: {name: project_name, domain}}},
      name: `in project ${project_name} (domain ${label})`,
    };
  }
  if (domain_id) return {body: {scope: {domain: {id: domain_id}}}, name: `in domain ${domain_id}`};
  if (domain_name) return {body: {scope: {domain: {name: domain_name}}}, name: `in domain ${domain_name}`};
  if (system_scope) return {body: {scope: {system: {[system_scope]: true}}}, name: 'in the system'};
  return {body: {}, name: 'without a scope'};
}

function domainOf(options: AuthOptions, what: 'user' | 'project'): {domain: object; label: string} {
  const id = options[`${what}_domain_id`];
  const name = options[`${what}_domain_name`];
  if (id) return {domain: {id}, label: id};
  if (name) return {domain: {name}, label: name};
  const {default_domain_id, default_domain_name} = options;
  if (default_domain_id) return {domain: {id: default_domain_id}, label: default_domain_id};
  if (default_domain_name) return {domain: {name: default_domain_name}, label: default_domain_name};
  throw new CellarError('config', `${what}_domain_name is not set`, {
    hint: `set ${what}_domain_name or ${what}_domain_id (often Default, default)`,
  });
}

function required(options: AuthOptions, name: keyof AuthOptions): string {
  const value = options[name];
  if (value) return value;
  throw new CellarError('config', `${name} is not set, and auth_type ${options.auth_type} needs it`);
}
