import test from 'ava';
import {ServiceManager} from '../../src/service/manager.ts';
import {receive} from './receiver.ts';

const noTrouble = (error: unknown) => {
  throw error;
};

test('the manager is told of readiness, reload and stop in the words of its protocol', async t => {
  await using receiver = await receive();
  const manager = new ServiceManager({socket: receiver.path, onTrouble: noTrouble});
  manager.ready('serving\n  cell1');
  manager.reloading();
  manager.ready('serving cell1');
  manager.alive();
  manager.stopping(1500);
  const [ready, reloading = '', again, alive, stopping] = await receiver.take(5);
  t.is(ready, 'READY=1\nSTATUS=serving cell1', 'a status is one line');
  const {usec} = /^RELOADING=1\nMONOTONIC_USEC=(?<usec>\d+)$/.exec(reloading)?.groups ?? {};
  const now = Number(process.hrtime.bigint() / 1000n);
  t.true(Number(usec) <= now && Number(usec) > now - 600_000_000, `${usec} of ${now}`);
  t.is(again, 'READY=1', 'a status is told when it is another');
  t.is(alive, 'WATCHDOG=1');
  t.is(stopping, 'STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=stopping');
});

test('a socket of the abstract namespace is reached', async t => {
  await using receiver = await receive(`@cellar-test-${process.pid}`);
  new ServiceManager({socket: receiver.path, onTrouble: noTrouble}).status('here');
  t.deepEqual(await receiver.take(1), ['STATUS=here']);
});

test('a manager that is busy gets everything later, in order', async t => {
  await using receiver = await receive();
  const manager = new ServiceManager({socket: receiver.path, onTrouble: noTrouble});
  const texts = Array.from({length: 30}, (_, index) => `status ${index}`);
  for (const text of texts) manager.status(text); // more than the 10 that a queue holds by default
  const [first] = await receiver.take(1);
  t.is(first, 'STATUS=status 0');
  t.deepEqual(
    await receiver.take(29),
    texts.slice(1).map(text => `STATUS=${text}`),
  );
});

test('a manager that is gone is told of once, and nothing fails', t => {
  const troubles: unknown[] = [];
  const manager = new ServiceManager({socket: '/nowhere/notify', onTrouble: error => troubles.push(error)});
  manager.ready('a');
  manager.status('b');
  t.is(troubles.length, 1);
  t.regex(String(troubles[0]), /\/nowhere\/notify \(ENOENT\)/);
  t.notThrows(() => new ServiceManager({socket: undefined, onTrouble: noTrouble}).ready('a'));
});
