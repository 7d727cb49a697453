/** nova.conf of the control plane: nova-api, scheduler, conductors. */
import {join} from 'node:path';
import {logOf, type NovaCell, type NovaState, novaPorts} from './state.ts';

/** What the lab's Nova allows besides its defaults: administrators may resize servers into another cell. */
export const policies = {'compute:servers:resize:cross_cell': 'rule:context_is_admin'};
export const policyFile = ({dir}: Pick<NovaState, 'dir'>) => join(dir, 'etc', 'policy.json');

export type ConfOptions = {keystoneUrl: string; password: string; port: number};

/** For nova-api, the scheduler, the super-conductor and nova-manage. */
export function apiConf(nova: NovaState, options: ConfOptions): string {
  const cell0 = nova.apiDatabaseUrl.replace('/nova_api?', '/nova_cell0?');
  return `[DEFAULT]
host = controller
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = ${novaPorts(options.port).nova}
osapi_compute_workers = 1
allow_resize_to_same_host = true
${common(nova, nova.transportUrl, options)}
[database]
connection = ${cell0}
[api_database]
connection = ${nova.apiDatabaseUrl}
[wsgi]
api_paste_config = /etc/nova/api-paste.ini
${authtoken('nova', options)}`;
}

/** For a cell's conductor. Only with the API's database can it answer for cell and host mappings. */
export function conductorConf(nova: NovaState, cell: NovaCell, apiDatabase: boolean, options: ConfOptions): string {
  return `[DEFAULT]
host = conductor-${cell.name}
${common(nova, cell.transportUrl, options)}
[database]
connection = ${cell.databaseUrl}
${apiDatabase ? `[api_database]\nconnection = ${nova.apiDatabaseUrl}\n` : ''}`;
}

export function placementConf(nova: NovaState, options: ConfOptions): string {
  return `[DEFAULT]
log_file = ${logOf(nova, 'placement')}
[api]
auth_strategy = keystone
[placement_database]
connection = ${nova.apiDatabaseUrl.replace('/nova_api?', '/placement?')}
${authtoken('placement', options)}`;
}

function common(nova: NovaState, transportUrl: string, options: ConfOptions): string {
  return `my_ip = 127.0.0.1
debug = true
# half of Nova's default, as the reports of the computes: tests wait for hosts to be taken for dead
service_down_time = 30
state_path = ${join(nova.dir, 'state')}
transport_url = ${transportUrl}
[conductor]
workers = 1
[scheduler]
workers = 1
[oslo_concurrency]
lock_path = ${join(nova.dir, 'state', 'lock')}
[oslo_policy]
enforce_scope = false
policy_file = ${policyFile(nova)}
${['placement', 'neutron', 'glance', 'service_user'].map(section => client(section, options)).join('')}`;
}

/** How Nova logs in where it calls another service. */
export const client = (section: string, options: ConfOptions, username = 'nova'): string =>
  `[${section}]\n${login(username, options)}region_name = RegionOne\n`;

const authtoken = (username: string, options: ConfOptions): string =>
  `[keystone_authtoken]\n${login(username, options)}www_authenticate_uri = ${options.keystoneUrl}\nservice_token_roles_required = true\n`;

function login(username: string, {keystoneUrl, password}: ConfOptions): string {
  return `auth_type = password
auth_url = ${keystoneUrl}
username = ${username}
password = ${password}
project_name = service
user_domain_name = Default
project_domain_name = Default
`;
}
