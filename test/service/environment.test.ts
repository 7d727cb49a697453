import test from 'ava';
import {takeServiceEnvironment} from '../../src/service/environment.ts';

test("systemd's variables are taken out of the environment, and read", t => {
  const env = {NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7', PATH: '/bin'};
  t.deepEqual(takeServiceEnvironment(env, 7), {socket: '/run/systemd/notify', watchdog: 60_000});
  t.deepEqual(Object.keys(env), ['PATH']);
});

test('signs of life are another process’s business when they are asked of it', t => {
  const env = {NOTIFY_SOCKET: '@notify', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8'};
  t.deepEqual(takeServiceEnvironment(env, 7), {socket: '@notify', watchdog: undefined});
});

for (const [title, env] of [
  ['nothing', {}],
  ['an empty socket', {NOTIFY_SOCKET: '', WATCHDOG_USEC: '1000000'}],
  ['a socket of another kind', {NOTIFY_SOCKET: 'vsock:2:1234', WATCHDOG_USEC: '1000000'}],
] as const) {
  test(`${title} means that nobody is told`, t => {
    t.deepEqual(takeServiceEnvironment({...env}, 7), {socket: undefined, watchdog: undefined});
  });
}
