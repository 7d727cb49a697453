/** TLS towards RabbitMQ, as [oslo_messaging_rabbit] says. */
import {readFileSync} from 'node:fs';
import tls from 'node:tls';
import {CellarError} from '../core/errors.ts';
import type {RabbitOptions} from './options.ts';

export type TlsOptions = {secureContext: tls.SecureContext; checkServerIdentity?: () => undefined};

/** Options for tls.connect; the files are read each time, so that a new certificate needs no restart. `config` when one cannot be. */
export function tlsOptions(options: RabbitOptions): TlsOptions {
  const {ssl_ca_file, ssl_cert_file, ssl_key_file, ssl_enforce_hostname_verification} = options;
  const cert = ssl_cert_file ? read('ssl_cert_file', ssl_cert_file) : undefined;
  // Python takes the key from the certificate's file where none is named.
  const key = ssl_key_file ? read('ssl_key_file', ssl_key_file) : cert;
  try {
    const secureContext = tls.createSecureContext({
      ca: ssl_ca_file ? authoritiesOf(ssl_ca_file) : systemAuthorities(),
      ...(cert === undefined ? {} : {cert, key}),
    });
    return {secureContext, ...(ssl_enforce_hostname_verification ? {} : {checkServerIdentity: () => undefined})};
  } catch (error) {
    if (error instanceof CellarError) throw error;
    const files = [ssl_ca_file, ssl_cert_file, ssl_key_file].filter(file => file).join(', ');
    throw new CellarError('config', `[oslo_messaging_rabbit] TLS with ${files}: ${(error as Error).message}`);
  }
}

/** OpenSSL takes a file without a certificate, and trusts nobody from then on. */
function authoritiesOf(file: string): Buffer {
  const pem = read('ssl_ca_file', file);
  if (pem.includes('-----BEGIN ')) return pem;
  throw new CellarError('config', `[oslo_messaging_rabbit] ssl_ca_file: ${file} holds no certificate`);
}

/** Those of the distribution, where operators add theirs, and Node's own. */
function systemAuthorities(): string[] {
  return [...new Set([...tls.getCACertificates('system'), ...tls.getCACertificates('default')])];
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CellarError('config', `[oslo_messaging_rabbit] ${option}: ${(error as Error).message}`);
  }
}
