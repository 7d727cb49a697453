/** Where the token comes from, and that it never goes anywhere but to the agent. */
import {writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {join} from 'node:path';
import test from 'ava';
import {version} from '../../src/config/version.ts';
import {image, secret} from '../api/fake-agent.ts';
import {temporaryFolder} from '../api/temporary-folder.ts';
import {withServer} from '../api/with-server.ts';
import {cellar} from './run-cli.ts';

const same = {version};
const json = (run: {stdout: string}) => JSON.parse(run.stdout);

test('the token comes from a file, from stdin, or from OS_TOKEN, in this order; without one there is none', async t => {
  const file = join(await temporaryFolder(), 'token');
  await writeFile(file, `${secret}\n`);
  await withServer(
    {},
    async ({socket, seen}) => {
      const create = ['disk', 'create', 'vms/d1', '--image', image, '-q', '--socket', socket];
      const other = {OS_TOKEN: 'another-token-of-the-environment'};
      await cellar([...create, '--token-file', file], {env: other});
      await cellar([...create, '--token-file', '-'], {env: other, stdin: `  ${secret}\n`});
      await cellar(create, {env: {OS_TOKEN: secret}});
      await cellar(create, {env: {OS_TOKEN: ''}});
      const tokens = seen.map(({args}) => (args[0] as {requester: {token?: string}}).requester.token);
      t.deepEqual(tokens, [secret, secret, secret, undefined]);
    },
    same,
  );
});

test('a token file that is missing or empty is a usage error, and the agent is not asked', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const create = ['disk', 'create', 'vms/d1', '--image', image, '--socket', socket, '--token-file'];
      const missing = await cellar([...create, '/nonexistent/token']);
      t.is(missing.code, 2);
      t.is(missing.stderr, 'cellar: the token cannot be read from /nonexistent/token: ENOENT\n  check --token-file\n');
      const empty = await cellar([...create, '-'], {stdin: '\n'});
      t.is(empty.code, 2);
      t.regex(empty.stderr, /^cellar: there is no token in stdin\n/);
      t.deepEqual(seen, []);
    },
    same,
  );
});

test('a token on the command line is refused with what to do instead, and not repeated', async t => {
  for (const args of [['--token', secret], [`--token=${secret}`]]) {
    const run = await cellar(['disk', 'create', 'vms/d1', '--image', image, ...args]);
    t.is(run.code, 2);
    t.regex(run.stderr, /use --token-file or OS_TOKEN/);
  }
});

test('a token that a broken agent quotes is struck out, in words, JSON and --debug', async t => {
  const path = join(await temporaryFolder(), 's');
  const error = {kind: 'unavailable', message: `Glance did not like ${secret}`, hint: secret, requestId: 'r'};
  const server = createServer((_, response) => {
    response.writeHead(503, {'Content-Type': 'application/json'}).end(JSON.stringify({schema: 1, error}));
  }).listen(path);
  const args = [
    'disk',
    'create',
    'vms/d1',
    '--image',
    image,
    '--json',
    '--debug',
    '--token-file',
    '-',
    '--socket',
    path,
  ];
  const run = await cellar(args, {stdin: secret});
  t.is(run.code, 75);
  t.is(json(run).error.message, 'Glance did not like ***');
  t.regex(run.stderr, /^cellar: Glance did not like \*\*\*\n {2}\*\*\*\n/);
  server.close();
});
