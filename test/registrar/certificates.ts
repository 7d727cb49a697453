/** An authority, and certificates it vouches for, in a directory of the test's own. */
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

const run = promisify(execFile);
const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export type Pair = {cert: string; key: string; certFile: string; keyFile: string};

export type Authority = AsyncDisposable & {
  dir: string;
  /** PEM, and its file. */
  cert: string;
  certFile: string;
  /** `names` as in `subjectAltName=`; without any there is a common name only. */
  issue(name: string, names?: string): Promise<Pair>;
};

export async function makeAuthority(title = 'authority'): Promise<Authority> {
  const dir = await mkdtemp(join(tmpdir(), 'cellar-registrar-'));
  const path = (name: string) => join(dir, name);
  const certFile = path('ca.pem');
  await run('openssl', [
    'req',
    '-x509',
    ...key,
    '-keyout',
    path('ca.key'),
    '-out',
    certFile,
    '-subj',
    `/CN=${title}`,
    '-days',
    '1',
  ]);
  let serial = 1;
  return {
    dir,
    cert: await readFile(certFile, 'utf8'),
    certFile,
    async issue(name, names) {
      const stem = `${serial}`;
      serial += 1;
      const [keyFile, ask, signed] = [path(`${stem}.key`), path(`${stem}.csr`), path(`${stem}.pem`)];
      await run('openssl', ['req', ...key, '-keyout', keyFile, '-out', ask, '-subj', `/CN=${name}`]);
      const extensions = path(`${stem}.ext`);
      await writeFile(extensions, names === undefined ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${names}\n`);
      const signing = [
        '-CA',
        certFile,
        '-CAkey',
        path('ca.key'),
        '-set_serial',
        stem,
        '-days',
        '1',
        '-extfile',
        extensions,
      ];
      await run('openssl', ['x509', '-req', '-in', ask, '-out', signed, ...signing]);
      const [cert, secret] = [await readFile(signed, 'utf8'), await readFile(keyFile, 'utf8')];
      return {cert, key: secret, certFile: signed, keyFile};
    },
    [Symbol.asyncDispose]: () => rm(dir, {recursive: true, force: true}),
  };
}
