/** Hosts that come into their cells through a registrar, on conductors of cells that have no [api_database]. */
import test, {type ExecutionContext} from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {makeAuthority, type Pair} from '../../registrar/certificates.ts';
import {everything, makeHost, rowsOf} from '../registration/host.ts';
import {askRegistrar, type RealRegistrar, startRealRegistrar} from './registrar.ts';

/** Neither log holds the password of a bus or a database, which in the lab is one. */
function noSecrets(t: ExecutionContext, registrar: RealRegistrar, ...texts: string[]): void {
  const [, password = ''] = /:\/\/[^:]+:([^@]+)@/.exec(novaLab().transportUrl('api')) ?? [];
  for (const text of [registrar.process.text, ...texts]) t.false(text.includes(password), 'a password was logged');
}

test.serial('a new host is mapped through the registrar, and an instance boots there', async t => {
  const nova = novaLab();
  const os = openstack();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'via-registrar', {registration: 'registrar', conf: registrar.conf, compute: true});
  const before = await everything(nova);
  const agent = await host.start();
  const {node, cell} = await host.becomes('mapped');
  const [cell1] = nova.state.cells;
  t.deepEqual(cell, {name: 'cell1', uuid: cell1?.uuid ?? ''});
  const rows = await rowsOf(nova, host.name);
  t.like(rows.nodes, [{uuid: node?.uuid, mapped: 1}]);
  t.deepEqual(rows.mappings, [{host: host.name, cell: cell1?.uuid ?? ''}]);
  const after = await everything(nova);
  t.is(after.nodes.length, before.nodes.length + 1);
  t.is(after.mappings.length, before.mappings.length + 1);
  t.like(registrar.audit(host.name), [{event: 'host-mapped', uuid: node?.uuid, cell: 'cell1'}]);
  t.regex(String(registrar.audit(host.name)[0]?.['by']), /^user cellar \(\S+\) in project service \(\S+\)$/);
  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  const image = await os.uploadImage({bytes: Buffer.alloc(1 << 20)});
  t.teardown(() => os.deleteImage(image.id));
  const server = await nova.server.create({image: image.id, host: host.name});
  t.like(server, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, server.fault?.message);
  await nova.server.delete(server.id);
  t.is(await agent.stop(), 0);
  await host.start();
  await host.becomes('mapped');
  t.is(registrar.audit(host.name).length, 1, 'again is no change');
  const metrics = await registrar.metrics();
  t.regex(metrics, /^cellar_registrar_changes_total\{change="host-mapped"\} 1$/m);
  t.regex(metrics, /^cellar_registrar_requests_total\{path="\/v1\/hosts",status="2xx"\} [2-9]$/m);
  noSecrets(t, registrar, agent.text);
});

test.serial('a host that claims another cell is refused, and nothing is written', async t => {
  const nova = novaLab();
  const registrar = await startRealRegistrar(t);
  const before = await everything(nova);
  const host = makeHost(t, 'via-wrong', {registration: 'registrar', conf: `name = cell2\n${registrar.conf}`});
  await host.start();
  const {why, hint} = await host.becomes('refused');
  t.regex(why ?? '', /says it is in cell cell2 .*, and its message bus is that of cell cell1/);
  t.regex(hint ?? '', /nothing was mapped/);
  t.deepEqual(await everything(nova), before);
  t.deepEqual(registrar.audit(host.name), []);
});

test.serial("a host that hides its bus and claims another cell is refused by that cell's own database", async t => {
  const nova = novaLab();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'via-liar', {registration: 'record'});
  await host.start();
  const {node} = await host.becomes('registered');
  const before = await everything(nova);
  const token = await openstack().token(openstack().service);
  const ask = (asked: object) => askRegistrar(registrar, {node: node?.name, uuid: node?.uuid, ...asked}, {token});
  const answer = await ask({host: host.name, cell: 'cell2'});
  t.is(answer.status, 409);
  t.regex(answer.text, /is not mapped to cell cell2 .*is not in its database/);
  const other = await ask({host: 'compute-1', cell: 'cell1'});
  t.is(other.status, 409);
  t.deepEqual(await everything(nova), before);
  t.deepEqual(registrar.audit(host.name), []);
  noSecrets(t, registrar, answer.text, other.text);
});

test.serial('a token without the role, a broken one and none: nothing is written', async t => {
  const nova = novaLab();
  const os = openstack();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'via-role', {registration: 'record'});
  await host.start();
  const {node} = await host.becomes('registered');
  const before = await everything(nova);
  const body = {host: host.name, node: node?.name, uuid: node?.uuid, cell: 'cell1'};
  const member = await os.createProject(`member-${process.pid}`);
  const good = await os.token(os.service);
  const refused = await askRegistrar(registrar, body, {token: await os.token(member)});
  t.is(refused.status, 403);
  t.regex(
    refused.text,
    new RegExp(
      `user ${member.username} \\(\\S+\\) in project ${member.project} \\(\\S+\\) has none of the roles service`,
    ),
  );
  t.is((await askRegistrar(registrar, body, {token: `${good.slice(0, -4)}aaaa`})).status, 401);
  t.is((await askRegistrar(registrar, body)).status, 401);
  t.deepEqual(await everything(nova), before);
  t.deepEqual(registrar.audit(host.name), []);
  t.is((await askRegistrar(registrar, body, {token: good})).status, 200, 'the good one is what was missing');
  t.false(registrar.process.text.includes(good), 'no token is logged');
});

test.serial('with certificates a host registers itself; a stranger and another host write nothing', async t => {
  const nova = novaLab();
  const registrar = await startRealRegistrar(t, '', {certificates: true});
  const others = await makeAuthority('others');
  t.teardown(() => others[Symbol.asyncDispose]());
  const name = `via-tls-${process.pid}`;
  const [own, neighbour, stranger] = [
    await registrar.authority.issue('whoever', `DNS:${name}`),
    await registrar.authority.issue('whoever', 'DNS:compute-1'),
    await others.issue('whoever', `DNS:${name}`),
  ];
  const before = await everything(nova);
  const showing = ({certFile, keyFile}: Pair) => ({
    name,
    registration: 'registrar' as const,
    conf: `${registrar.conf}certfile = ${certFile}\nkeyfile = ${keyFile}\n`,
  });
  for (const [pair, why] of [
    [stranger, /no client certificate was shown that an accepted authority vouches for/],
    [neighbour, /certificate compute-1 .*may not register host/],
  ] as const) {
    const host = makeHost(t, 'via-tls', showing(pair));
    const agent = await host.start();
    await host.becomes('refused', why);
    t.is(await agent.stop(), 0);
    t.deepEqual(await everything(nova), before);
  }
  const token = await openstack().token(openstack().service);
  t.is(
    (await askRegistrar(registrar, {host: name, node: name, uuid: name}, {token})).status,
    401,
    'a token is nothing',
  );
  const host = makeHost(t, 'via-tls', showing(own));
  await host.start();
  const {node} = await host.becomes('mapped');
  t.like(registrar.audit(name), [{event: 'host-mapped', uuid: node?.uuid, cell: 'cell1'}]);
  t.regex(String(registrar.audit(name)[0]?.['by']), new RegExp(`^certificate ${name} \\(serial 0?2\\)$`));
  t.deepEqual((await rowsOf(nova, name)).mappings, [{host: name, cell: nova.state.cells[0]?.uuid ?? ''}]);
});

test.serial(
  'the registrar is down at the start: the agent serves and writes nothing, and the host is mapped when it is back',
  async t => {
    const registrar = await startRealRegistrar(t);
    await registrar.process.stop();
    const host = makeHost(t, 'via-down', {registration: 'registrar', conf: registrar.conf});
    await host.start();
    const {why} = await waitFor('the reason', async () => {
      const now = await host.registration();
      if (!now.why?.includes('the registrar at')) throw new Error(JSON.stringify(now));
      return now;
    });
    t.regex(why ?? '', /ECONNREFUSED/);
    const image = await openstack().uploadImage({bytes: Buffer.alloc(1 << 20, 7)});
    t.teardown(() => openstack().deleteImage(image.id));
    const made = await host.cellar('disk', 'create', `vms/${host.name}_disk`, '--image', image.id);
    t.is(made.code, 0, made.stderr);
    t.is((await host.cellar('disk', 'delete', `vms/${host.name}_disk`)).code, 0);
    t.deepEqual((await rowsOf(novaLab(), host.name)).nodes, []);
    await registrar.restart();
    await host.becomes('mapped');
  },
);

test.serial('in a staging cell a host waits for its nova-compute, which is disabled, then is mapped', async t => {
  const nova = novaLab();
  const registrar = await startRealRegistrar(t, 'staging_cells = cell1\n');
  const host = makeHost(t, 'via-staging', {registration: 'registrar', conf: registrar.conf, compute: true});
  await host.start();
  const {why} = await host.becomes('registered', /staging cell, and .* has no nova-compute yet/);
  t.truthy(why);
  t.deepEqual((await rowsOf(nova, host.name)).mappings, []);
  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  await host.becomes('mapped');
  const {services} = await nova.nova<{services: Record<string, unknown>[]}>(
    'GET',
    `/os-services?host=${host.name}&binary=nova-compute`,
  );
  t.like(services, [{status: 'disabled'}]);
  t.regex(String(services[0]?.['disabled_reason']), /staging cell cell1/);
  t.deepEqual(
    registrar.audit(host.name).map(({event}) => event),
    ['service-disabled', 'host-mapped'],
  );
});
