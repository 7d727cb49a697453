/** Who looks at a host and moves it: whoever has logged in with an openrc file, else the login of the configuration. */
import type {CellarConfig} from '../config/load.ts';
import {CellarError} from '../core/errors.ts';
import {authNames, type Login, loginOptions} from '../daemon/login.ts';
import type {AuthOptions} from '../keystone/auth.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A token of its own, or a trust, is no login of a person. */
const names = authNames.filter(name => name !== 'token' && name !== 'trust_id');

/** `region`, `interface`: of the endpoints; undefined: any, and our own choice. */
export type OperatorLogin = Login & {region: string | undefined; interface: string | undefined};

/** By OS_AUTH_URL and its like where they are set; else that of [agent] auth_section. `config` without either. */
export function operatorLogin(config: CellarConfig, env: Environment): OperatorLogin {
  const given = ofEnvironment(env);
  if (given !== undefined) return given;
  const section = config.get('agent', 'auth_section');
  const login = loginOptions(config, section);
  if (login !== undefined)
    return {...login, region: config.get('service_user', 'region_name', section), interface: undefined};
  throw new CellarError('config', `there is no login at Keystone: OS_AUTH_URL is not set, nor [${section}] auth_type`, {
    hint: 'source the openrc file of an administrator',
  });
}

function ofEnvironment(env: Environment): OperatorLogin | undefined {
  const set = (name: string) => env[`OS_${name.toUpperCase()}`] || undefined;
  const auth_url = set('auth_url');
  if (auth_url === undefined) return undefined;
  const auth: AuthOptions = {auth_type: set('auth_type') ?? 'password', auth_url};
  for (const name of names) auth[name] = set(name);
  return {
    auth,
    session: {cafile: set('cacert'), certfile: set('cert'), keyfile: set('key')},
    region: set('region_name'),
    // The second is the older name; whoever has an openrc of Horizon has it, and may reach public endpoints only.
    interface: set('interface') ?? set('endpoint_type'),
  };
}
