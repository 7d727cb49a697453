import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {HostDefault} from './option.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A file with options that are secrets, read after all others. */
export const secretsFile = 'cellar-secrets.conf';

/** The key of the agent's cephx user. */
const cephKeyring = 'ceph.keyring';

/** A default that is there only where systemd hands the key over. */
export const cephKeyringDefault: HostDefault = {
  text: `the credential ${cephKeyring}, else empty`,
  value: () => credentialPath(cephKeyring) ?? '',
};

/**
 * The path of a credential that systemd hands over (LoadCredential=), readable for the service's user only. undefined when there is
 * none, or nothing but comments in it: a unit has such a one in place of a file that is not there.
 */
export function credentialPath(name: string, env: Environment = process.env): string | undefined {
  const directory = env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined || directory === '') return undefined;
  const path = join(directory, name);
  try {
    return /^\s*[^#\s]/m.test(readFileSync(path, 'utf8')) ? path : undefined;
  } catch (error) {
    // one that may not be read is for its reader to tell
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : path;
  }
}
