/** A real Keystone on loopback, with the catalog, the projects and the users that the lab needs. */
import {randomBytes} from 'node:crypto';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {obituary, startDaemon} from './daemon.ts';
import {type Account, apiCall, issueToken} from './keystone-api.ts';
import {all, run, waitFor} from './run.ts';
import {useWriteAheadLog} from './sqlite.ts';

export type KeystoneOptions = {
  base: string;
  port: number;
  password: string;
  glanceUrl: string;
  tied?: boolean;
  /** Further accounts and endpoints. */
  identities?: {users: string[]; services: {name: string; type: string; url: string}[]} | undefined;
};

export const keystoneUrl = (port: number) => `http://127.0.0.1:${port}/v3`;

/** Makes its database and starts it meanwhile; resolves when both are done. `fillKeystone` does the rest. */
export async function startKeystone(options: KeystoneOptions): Promise<void> {
  const conf = writeKeystoneFiles(options.base);
  await all([makeDatabase(options, conf), serve(options, conf)]);
}

/** Roles, users and endpoints beyond what the bootstrap makes: `service` and `glance` users as a deployment has them. */
export async function fillKeystone({port, password, glanceUrl, identities}: KeystoneOptions): Promise<void> {
  const url = keystoneUrl(port);
  const token = await issueToken(url, adminAccount(password));
  const create = async (kind: string, plural: string, body: object): Promise<string> => {
    const answer = await apiCall<Record<string, {id: string}>>(`${url}/${plural}`, {
      token,
      method: 'POST',
      body: {[kind]: body},
    });
    return answer[kind]?.id ?? '';
  };
  const grant = (project: string, user: string, role: string) =>
    apiCall(`${url}/projects/${project}/users/${user}/roles/${role}`, {token, method: 'PUT'});

  const {roles} = await apiCall<{roles: {id: string; name: string}[]}>(`${url}/roles`, {token});
  const admin = roles.find(role => role.name === 'admin')?.id ?? '';
  const endpoints = async ({name, type, url: endpoint}: {name: string; type: string; url: string}) => {
    const id = await create('service', 'services', {name, type});
    const sides = ['public', 'internal', 'admin'];
    const body = {region_id: 'RegionOne', url: endpoint, service_id: id};
    await all(sides.map(side => create('endpoint', 'endpoints', {...body, interface: side})));
  };
  const names = ['cellar', 'glance', ...(identities?.users ?? [])];
  const [project, service, users] = await all([
    create('project', 'projects', {name: 'service', domain_id: 'default'}),
    create('role', 'roles', {name: 'service'}),
    all(names.map(name => create('user', 'users', {name, password, domain_id: 'default'}))),
    endpoints({name: 'glance', type: 'image', url: glanceUrl}),
    ...(identities?.services ?? []).map(endpoints),
  ]);
  await all(users.flatMap(user => [grant(project, user, admin), grant(project, user, service)]));
}

export const adminAccount = (password: string): Account => ({
  username: 'admin',
  password,
  project: 'admin',
  domain: 'Default',
});

const databaseFile = (base: string) => join(base, 'keystone', 'keystone.db');

function writeKeystoneFiles(base: string): string {
  const dir = join(base, 'keystone');
  const keys = join(dir, 'fernet');
  mkdirSync(keys, {recursive: true, mode: 0o700});
  mkdirSync(join(base, 'log'), {recursive: true, mode: 0o700});
  // as `keystone-manage fernet_setup`, which takes 2 s: 0 is staged, 1 is primary
  for (const name of ['0', '1'])
    writeFileSync(join(keys, name), randomBytes(32).toString('base64url').padEnd(44, '='), {mode: 0o600});
  const conf = join(dir, 'keystone.conf');
  writeFileSync(
    conf,
    `[DEFAULT]
log_file = ${base}/log/keystone.log
[database]
connection = sqlite:///${databaseFile(base)}?timeout=30
[identity]
# a test logs in often, and nobody steals its password
password_hash_rounds = 4
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = ${keys}
[fernet_receipts]
key_repository = ${keys}
[credential]
key_repository = ${keys}
`,
  );
  return conf;
}

async function makeDatabase({base, port, password}: KeystoneOptions, conf: string): Promise<void> {
  const manage = (...args: string[]) => run('keystone-manage', ['--config-file', conf, ...args]);
  await manage('db_sync');
  await useWriteAheadLog(databaseFile(base));
  const urls = ['public', 'internal', 'admin'].map(side => `--bootstrap-${side}-url=${keystoneUrl(port)}`);
  await manage('bootstrap', '--bootstrap-password', password, '--bootstrap-region-id', 'RegionOne', ...urls);
}

async function serve({base, port, tied = false}: KeystoneOptions, conf: string): Promise<void> {
  const command = [
    ...['uwsgi_python3', '--http-socket', `127.0.0.1:${port}`, '--wsgi-file', '/usr/bin/keystone-wsgi-public'],
    // without it uwsgi closes connections that it said it would keep
    ...['--add-header', 'Connection: close'],
    // processes, not threads: Keystone leaves SQLite connections behind that another thread may not close
    ...['--master', '--processes', '4', '--no-orphans', '--die-on-term'],
    ...['--need-app', '--buffer-size', '65535', '--procname-prefix', `keystone of ${base}: `],
  ];
  const logs = [join(base, 'log', 'keystone.log')];
  const daemon = startDaemon(base, 'keystone', command, {logs, tied, env: {OS_KEYSTONE_CONFIG_FILES: conf}});
  await waitFor('Keystone', () => apiCall(keystoneUrl(port)), {stop: () => obituary(daemon)});
}
