/** A day in the life of a host, with much that goes wrong: no secret of it is in a log, an error, an answer or a process list. */
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {eventually, send} from '../api/with-server.ts';
import {type AgentProcess, cellar, startAgent} from '../helpers/agent.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace, type Place} from '../integration/place.ts';
import {lab, openstack} from '../lab/shared.ts';
import {type Overheard, overhear} from './overhear.ts';
import {spiedQemu} from './spied-qemu.ts';

const mib = 1024 * 1024;
const busPassword = 's3cr3t-of-the-bus-0123456789';
const wrongPassword = 's3cr3t-that-is-wrong-0123456789';
const wrongToken = 's3cr3t-token-of-nobody-0123456789';

/** What looks like one, whoever it belongs to: tokens of Keystone, keys of Ceph. */
const shapes = [/gAAAAA[\w-]{20,}/, /\bAQ[A-Za-z0-9+/]{36}==/];

type Day = {place: Place; agent: AgentProcess; facade: string; heard: Overheard[]; told: [string, string][]};

test.serial('no secret leaves the places that it belongs to', async t => {
  const secrets = new Set([lab().password, busPassword, wrongPassword, wrongToken]);
  await using glance = await overhear(openstack().glanceUrl);
  await using keystone = await overhear(openstack().keystoneUrl);
  const facade = await deadUrl(); // whose port is free
  await using place = await makePlace({glance: facade, conf: conf(facade, glance.url, keystone.url)});
  secrets.add(await keyOf(place));
  const spied = join(place.dir, 'bin');
  mkdirSync(spied);
  const qemu = spiedQemu(spied);
  t.teardown(qemu.end);
  await using agent = await place.startAgent({PATH: `${spied}:${process.env['PATH']}`});
  const day: Day = {place, agent, facade, heard: [glance, keystone], told: []};

  await fillWithToken(t, day);
  await tokensThatAreNone(day);
  await throughTheFacade(t, day);
  await wrongLogin(t, day);
  await look(day);
  day.told.push(['qemu-img as it was started', qemu.seen()], ['the agent as it was started', startOf(agent.pid)]);
  await agent.stop();
  day.told.push(['the log', agent.text]);

  for (const {secrets: overheard} of day.heard) for (const secret of overheard) secrets.add(secret);
  t.true(secrets.size >= 8, 'tokens of the user and of the agent were used, and are looked for');
  t.regex(qemu.seen(), /convert/);
  for (const [where, text] of day.told) {
    t.true(text.length > 0, where);
    for (const secret of secrets) t.false(text.includes(secret), `${where} holds ${secret}: ${around(text, secret)}`);
    for (const shape of shapes) t.notRegex(text, shape, where);
  }
});

const conf = (facade: string, glance: string, keystone: string): string => `[DEFAULT]
transport_url = rabbit://nova:${busPassword}@127.0.0.1:1/cell1
[cell]
registration = record
[facade]
listen = ${facade.slice('http://'.length)}
upstream = ${glance}
[service_user]
auth_url = ${keystone}
`;

const keyOf = async ({files, cell}: Place): Promise<string> => {
  const [, user = ''] = /^rbd_user = (.*)$/m.exec(readFileSync(files.at(-1) ?? '', 'utf8')) ?? [];
  return (await cell.ceph('auth', 'get-key', `client.${user}`)).trim();
};

const around = (text: string, secret: string): string => {
  const at = text.indexOf(secret);
  return at < 0 ? '' : text.slice(Math.max(0, at - 100), at);
};

const startOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1');

/** A private qcow2 image of a user's, filled with that user's token, and a disk that is refused. */
async function fillWithToken(t: ExecutionContext, {place, told}: Day): Promise<void> {
  const glance = openstack();
  const user = await glance.createProject(`secrets-${process.pid}`);
  const token = await glance.token(user);
  const [raw, path] = [join(place.dir, 'raw'), join(place.dir, 'image.qcow2')];
  writeFileSync(raw, randomBytes(8 * mib));
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, path]);
  const image = await glance.uploadImage({path, diskFormat: 'qcow2', visibility: 'private', token});
  const file = join(place.dir, 'token');
  writeFileSync(file, token, {mode: 0o600});
  const create = (disk: string, ...more: string[]) =>
    place.cellar('disk', 'create', `${place.vms}/${disk}`, '--image', image.id, '--debug', ...more);
  const made = await create('d', '--token-file', file);
  t.is(made.code, 0, made.stderr);
  const refused = await create('none/such', '--token-file', file);
  const small = await create('e', '--size', '1', '--token-file', file);
  for (const {code, stdout, stderr} of [made, refused, small])
    told.push([`cellar disk create (${code})`, stdout + stderr]);
}

/** Each way to send a token that nobody has issued. */
async function tokensThatAreNone({place, told}: Day): Promise<void> {
  const image = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';
  const asked = [
    {headers: {'X-Auth-Token': wrongToken}, body: JSON.stringify({image})},
    {body: JSON.stringify({image, token: wrongToken})},
    {body: `{"image":"${image}","token":"${wrongToken}"`},
    {body: JSON.stringify({image, token: wrongToken, tokens: wrongToken})},
    {headers: {'X-Auth-Token': `${wrongToken} ${wrongToken}`}, body: JSON.stringify({image})},
  ];
  for (const ask of asked) {
    const answer = await send(place.socket, 'PUT', `/v1/disks/${place.vms}/x`, ask);
    told.push([`the answer ${answer.status}`, JSON.stringify([answer.headers, answer.text])]);
  }
  const {text} = await send(place.socket, 'GET', `/v1/images?token=${wrongToken}`);
  told.push(['the answer to a token in the query', text]);
  const cli = await cellar(['image', 'prefetch', image, '--socket', place.socket, '--debug'], {OS_TOKEN: wrongToken});
  told.push([`cellar image prefetch (${cli.code})`, cli.stdout + cli.stderr]);
}

/** Nova asks, with a token that is good and with one that is not. */
async function throughTheFacade(t: ExecutionContext, {facade, told}: Day): Promise<void> {
  const glance = openstack();
  const token = await glance.token(glance.admin);
  const image = await glance.uploadImage({bytes: randomBytes(mib)});
  const show = (what: string) => fetch(`${facade}/v2/images/${image.id}`, {headers: {'X-Auth-Token': what}});
  t.is((await show(token)).status, 200);
  const refused = await show(wrongToken);
  told.push(["Glance's refusal", await refused.text()]);
  // Glance takes no token from there; somebody may try
  await fetch(`${facade}/v2/images?token=${wrongToken}`, {headers: {'X-Auth-Token': token}});
}

/** Another agent of the cell with a password that is wrong: what it, the doctor and the commands say of that. */
async function wrongLogin(t: ExecutionContext, {place, told}: Day): Promise<void> {
  const other = place.host('compute-2');
  const file = join(place.dir, 'wrong.conf');
  writeFileSync(file, `[service_user]\npassword = ${wrongPassword}\n[facade]\nlisten =\n`);
  const files = [...other.files, file];
  const agent = await startAgent(files);
  try {
    const image = await openstack().uploadImage({bytes: randomBytes(mib)});
    const made = await other.cellar('disk', 'create', `${place.vms}/w`, '--image', image.id, '--debug');
    t.is(made.code, 77, made.stderr);
    told.push(['cellar without a good login', made.stdout + made.stderr]);
    const sources = files.map(one => `--config-file=${one}`);
    for (const args of [['doctor'], ['config', 'show'], ['config', 'check'], ['status']]) {
      const {code, stdout, stderr} = await cellar([...args, ...sources, '--socket', other.socket, '--json']);
      told.push([`cellar ${args.join(' ')} (${code})`, stdout + stderr]);
    }
    await agent.waitForLog(line => line['event'] === 'bus-connect-failed');
  } finally {
    await agent.stop();
  }
  told.push(['the log without a good login', agent.text]);
}

/** The agent with everything right: what it, the doctor, the API and its children show. */
async function look({place, agent, told}: Day): Promise<void> {
  await agent.waitForLog(line => line['event'] === 'bus-connect-failed');
  for (const path of ['/v1/status', '/v1/images', '/metrics', '/v1/host'])
    told.push([`GET ${path}`, (await send(place.socket, 'GET', path)).text]);
  const sources = place.files.map(one => `--config-file=${one}`);
  const {stdout, stderr} = await cellar(['doctor', ...sources]);
  told.push(['cellar doctor', stdout + stderr]);
  await eventually(() => childrenOf(agent.pid).length === 0, 20_000);
}

const childrenOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
