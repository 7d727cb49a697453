import {randomUUID} from 'node:crypto';
import {connect} from 'amqplib';
import test, {type ExecutionContext} from 'ava';
import {Conductor} from '../../../src/oslo/conductor.ts';
import {Draft, type ObjectClass, readObject, readTime} from '../../../src/oslo/objects.ts';
import {RemoteError} from '../../../src/oslo/remote-error.ts';
import {RpcClient} from '../../../src/oslo/rpc.ts';
import {fails} from '../../helpers/fails.ts';
import {novaLab} from '../../lab/nova/shared.ts';

const nova = novaLab();
const service: ObjectClass = {name: 'Service', version: '1.22'};
const specOf = (version: string): ObjectClass => ({name: 'HVSpec', version});
const nodeOf = (version: string, spec: string): ObjectClass => ({name: 'ComputeNode', version, parts: [specOf(spec)]});
const signal = new AbortController().signal;

function conductor(
  t: ExecutionContext,
  timeoutMs = 30_000,
  now?: () => number,
): {rpc: RpcClient; conductor: Conductor} {
  const rpc = new RpcClient({url: nova.transportUrl('cell1'), rabbit: {rabbit_retry_backoff: 0}, timeoutMs});
  t.teardown(() => rpc.close());
  return {rpc, conductor: new Conductor(rpc, now)};
}

test.serial('a real conductor answers', async t => {
  const {conductor: one} = conductor(t);
  await one.ping(signal);
  t.is(await one.classAction(service, 'get_minimum_version', ['nova-conductor'], {signal}), 64);
  const row = await one.classAction(service, 'get_by_host_and_binary', ['conductor-cell1', 'nova-conductor'], {signal});
  const {data, version} = readObject(row, 'Service', '1.22');
  t.is(version, '1.22');
  t.like(data, {host: 'conductor-cell1', binary: 'nova-conductor', topic: 'conductor', disabled: false});
  t.true(readTime(data['created_at']) <= new Date());
  t.is(one.agreedVersion(service), '1.22');
  t.is(await one.classAction(service, 'get_by_host_and_binary', ['nobody', 'nova-compute'], {signal}), null);
});

test.serial('what Nova throws has its class', async t => {
  const {conductor: one} = conductor(t);
  const asked = one.classAction(nodeOf('1.19', '1.2'), 'get_by_host_and_nodename', ['nobody', 'nobody'], {signal});
  const error = await fails(
    t,
    asked,
    'not-found',
    /ComputeNode.get_by_host_and_nodename.*ComputeHostNotFound: Compute host nobody/,
  );
  t.like((error as RemoteError).remote, {
    class: 'ComputeHostNotFound',
    module: 'nova.exception',
    kwargs: {host: 'nobody'},
  });
  await fails(
    t,
    one.classAction({name: 'Nonesuch', version: '1.0'}, 'get', [], {signal}),
    'config',
    /UnsupportedObjectError/,
  );
  await fails(
    t,
    one.classAction({name: 'Service', version: '2.0'}, 'get_minimum_version', ['nova-compute'], {signal}),
    'config',
    /IncompatibleObjectVersion.*2.0/,
  );
  const mapping = one.classAction({name: 'HostMapping', version: '1.0'}, 'get_by_host', ['x'], {signal});
  await fails(t, mapping, 'config', /CantStartEngineError/);
});

test.serial('an object is made, saved and destroyed', async t => {
  const {conductor: one} = conductor(t);
  const host = `rpc-${randomUUID()}`;
  const fields = {host, binary: 'nova-cells', topic: 'cellar', report_count: 0, version: 64};
  const {updates, result} = await one.action(new Draft(service, fields), 'create', [], {signal});
  t.is(result, null);
  t.like(updates, {disabled: false, last_seen_up: null});
  const {id} = updates;
  await one.action(new Draft(service, {id, ...fields, report_count: 1}, ['report_count']), 'save', [], {
    signal,
    idempotent: true,
  });
  const row = readObject(
    await one.classAction(service, 'get_by_host_and_binary', [host, 'nova-cells'], {signal}),
    'Service',
  );
  t.like(row.data, {id, report_count: 1});
  t.true(readTime(row.data['last_seen_up']) <= new Date());
  const again = one.action(new Draft(service, fields), 'create', [], {signal});
  await fails(t, again, 'conflict', /Service.create.*Service(Topic|Binary)Exists/).catch(() =>
    fails(t, again, 'internal', /ServiceBinaryExists/),
  );
  await one.action(new Draft(service, {...fields, ...row.data}, []), 'destroy', [], {signal});
  t.is(await one.classAction(service, 'get_by_host_and_binary', [host, 'nova-cells'], {signal}), null);
});

test.serial('objects of ours that are newer than the conductor\u2019s never reach it', async t => {
  const {conductor: one} = conductor(t);
  const trace = await copies(t);
  const newer: ObjectClass = {name: 'Service', version: '1.99', since: {future: '1.50'}};
  const host = `rpc-${randomUUID()}`;
  const fields = {host, binary: 'nova-cells', topic: 'cellar', report_count: 0, version: 64, future: 'x'};
  const {updates} = await one.action(new Draft(newer, fields), 'create', [], {signal});
  t.is(one.agreedVersion(newer), '1.22');
  // Parts, of which no class action of Nova's would tell.
  const spec = new Draft(specOf('1.77'), {arch: 'x86_64', hv_type: 'qemu', vm_mode: 'hvm'});
  const node = new Draft(nodeOf('1.88', '1.77'), {host, hypervisor_hostname: host, supported_hv_specs: [spec]}, []);
  await t.throwsAsync(one.action(node, 'save', [], {signal}), {instanceOf: RemoteError});
  const {obj_what_changed: _, ...made} = updates;
  await one.action(new Draft(newer, {...fields, ...made}, []), 'destroy', [], {signal});
  await t.throwsAsync(one.action(new Draft({name: 'Service', version: '2.1'}, {}), 'create', [], {signal}), {
    message: /no version of Service was agreed on/,
  });

  const sent = await trace();
  const ours = sent.filter(
    ({args}) => JSON.stringify(args).includes(host) || args['objmethod'] === '_obj_primitive_key',
  );
  t.deepEqual(
    ours.filter(({method}) => method === 'object_action').map(({args}) => versionsIn(args)),
    [{Service: '1.22'}, {ComputeNode: '1.19', HVSpec: '1.2'}, {Service: '1.22'}],
  );
  const probes = ours
    .filter(({method}) => method === 'object_class_action_versions')
    .map(({args}) => args['object_versions']);
  t.deepEqual(probes, [
    {Service: '1.99'},
    {Service: '1.22'},
    {ComputeNode: '1.88'},
    {ComputeNode: '1.19'},
    {HVSpec: '1.77'},
    {HVSpec: '1.2'},
  ]);
  // Nothing made it ask itself, and it answers others.
  t.deepEqual(
    sent.filter(({method}) => method === 'object_backport_versions'),
    [],
  );
  await Promise.all(Array.from({length: 100}, () => one.ping(signal)));
});

test.serial('versions are asked again after ten minutes, and after a reconnection', async t => {
  let now = 0;
  const {conductor: one, rpc} = conductor(t, 60_000, () => now);
  const lookup = () => one.classAction(service, 'get_minimum_version', ['nova-conductor'], {signal});
  await lookup();
  t.is(one.agreedVersion(service), '1.22');
  now = 600_001;
  t.is(one.agreedVersion(service), undefined);
  await lookup();
  t.is(one.agreedVersion(service), '1.22');
  const epoch = rpc.epoch;
  await nova.stopRabbit();
  await nova.startRabbit();
  t.is(one.agreedVersion(service), undefined);
  await lookup();
  t.is(one.agreedVersion(service), '1.22');
  t.not(rpc.epoch, epoch);
});

test.serial('RabbitMQ is restarted amid lookups: each is answered', async t => {
  const {conductor: one} = conductor(t, 120_000);
  let restarted = false;
  const worker = async () => {
    for (let last = false; !last; ) {
      last = restarted;
      t.is(await one.classAction(service, 'get_minimum_version', ['nova-conductor'], {signal}), 64);
    }
  };
  const workers = Array.from({length: 5}, worker);
  await nova.stopRabbit();
  await nova.startRabbit();
  restarted = true;
  await Promise.all(workers);
});

test.serial('a conductor that is stopped: timeout; one that is killed with the message in hand: unknown', async t => {
  const {conductor: one, rpc} = conductor(t);
  await one.classAction(service, 'get_minimum_version', ['nova-conductor'], {signal});
  const cell = nova.conductor('cell1');
  t.teardown(() => nova.startConductor('cell1').then(() => {}));
  cell.signal('SIGSTOP');
  const asked = one.classAction(service, 'get_minimum_version', ['nova-conductor'], {signal, timeoutMs: 1000});
  const error = await fails(t, asked, 'timeout', /no answer within 1 s/);
  t.regex(error.hint ?? '', /nova-conductor/);
  const made = one.action(new Draft(service, {host: 'x', binary: 'nova-x'}), 'create', [], {signal, timeoutMs: 2000});
  await fails(t, made, 'timeout', /Service.create to conductor: no answer within .*may or may not have been done/);
  t.is(rpc.inFlight, 0);
  await cell.kill();
  // Its queue is gone with it, or keeps the message until it is back: in any case the call ends.
  await t.throwsAsync(one.ping(signal, 2000), {name: 'CellarError'});
  await nova.startConductor('cell1');
  await one.ping(signal, 60_000);
});

test.serial('the super-conductor\u2019s bus, and a cell\u2019s with the wrong password', async t => {
  const rpc = new RpcClient({url: nova.transportUrl('api')});
  t.teardown(() => rpc.close());
  const mapping = new Conductor(rpc).classAction({name: 'HostMapping', version: '1.0'}, 'get_by_host', ['nobody'], {
    signal,
  });
  await fails(t, mapping, 'not-found', /HostMappingNotFound/);
  const wrong = new RpcClient({url: nova.transportUrl('cell1').replace(/:[^:@]*@/, ':s3cr3t@')});
  t.teardown(() => wrong.close());
  await fails(t, new Conductor(wrong).ping(signal), 'unauthorized', /the user or the password is not accepted/);
});

type Message = {method: string; args: Record<string, unknown>};

/** A copy of every request to the cell's conductors from now on, their own among them; the function ends it, when a mark has come through. */
async function copies(t: ExecutionContext): Promise<() => Promise<Message[]>> {
  const model = await connect(nova.transportUrl('cell1').replace('rabbit:', 'amqp:'));
  t.teardown(() => model.close());
  const channel = await model.createChannel();
  const {queue} = await channel.assertQueue('', {exclusive: true});
  const mark = randomUUID();
  for (const key of ['conductor', mark]) await channel.bindQueue(queue, 'nova', key);
  const messages: Message[] = [];
  const {promise, resolve} = Promise.withResolvers<void>();
  await channel.consume(
    queue,
    message => {
      const text = String(message?.content);
      if (text === mark) resolve();
      else messages.push(JSON.parse(JSON.parse(text)['oslo.message']));
    },
    {noAck: true},
  );
  return async () => {
    channel.publish('nova', mark, Buffer.from(mark));
    await promise;
    return messages;
  };
}

/** The version of each object anywhere in it. */
function versionsIn(value: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  JSON.stringify(value, (_key, one) => {
    if (one?.['nova_object.name']) found[one['nova_object.name']] = one['nova_object.version'];
    return one;
  });
  return found;
}
