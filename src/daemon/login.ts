/** How a program of ours logs in at Keystone, with keystoneauth's options. */
import type {CellarConfig} from '../config/load.ts';
import type {OptionName} from '../config/options.ts';
import {CellarError} from '../core/errors.ts';
import type {AuthOptions} from '../keystone/auth.ts';
import type {SessionOptions} from '../keystone/session.ts';

export type Login = {auth: AuthOptions; session: SessionOptions};

/** Options of a login, by keystoneauth's names. */
export const authNames = [
  'username',
  'user_id',
  'user_domain_id',
  'user_domain_name',
  'password',
  'application_credential_id',
  'application_credential_name',
  'application_credential_secret',
  'token',
  'project_id',
  'project_name',
  'project_domain_id',
  'project_domain_name',
  'domain_id',
  'domain_name',
  'system_scope',
  'trust_id',
  'default_domain_id',
  'default_domain_name',
] as const;

/** A login at Keystone: that of the section `named`, or of the one which its auth_section names. undefined without auth_type. */
export function loginOptions(config: CellarConfig, named: string): Login | undefined {
  const section = config.get('service_user', 'auth_section', named) ?? named;
  const get = <N extends OptionName<'service_user'>>(name: N) => config.get('service_user', name, section);
  const auth_type = get('auth_type');
  const auth_url = get('auth_url');
  if (auth_type === undefined) return undefined;
  if (auth_url === undefined)
    throw new CellarError('config', `[${section}] auth_type is set, auth_url is not`, {
      hint: 'set it to the URL of Keystone',
    });
  const auth: AuthOptions = {auth_type, auth_url};
  for (const name of authNames) auth[name] = get(name);
  const session = {
    cafile: get('cafile'),
    certfile: get('certfile'),
    keyfile: get('keyfile'),
    insecure: get('insecure'),
    timeout: get('timeout'),
  };
  return {auth, session};
}
