import type {CellarConfig} from '../config/load.ts';
import {CellarError} from '../core/errors.ts';
import type {TransportOptions} from '../http/transport.ts';

/** How the registrar is reached. `hasLogin`: there is a token to show. `config` when it is not said where it is, or there is nothing to show. */
export function registrarOptions({get}: CellarConfig, hasLogin: boolean): {url: string; transport: TransportOptions} {
  const url = get('registrar', 'url');
  const certfile = get('registrar', 'certfile');
  if (url === undefined) {
    throw new CellarError('config', '[cell] registration is registrar, and [registrar] url is not set', {
      hint: 'set it to https://HOST:PORT of cellar-registrar',
    });
  }
  if (!hasLogin && certfile === undefined) {
    throw new CellarError('config', 'there is nothing to show to the registrar: no login at Keystone, no certificate', {
      hint: 'set the login in [service_user], or [registrar] certfile',
    });
  }
  const files = {cafile: get('registrar', 'cafile'), certfile, keyfile: get('registrar', 'keyfile')};
  return {url, transport: {...files, timeout: get('registrar', 'timeout')}};
}
