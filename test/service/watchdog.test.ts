import {once} from 'node:events';
import test from 'ava';
import {keepWatched} from '../../src/service/watchdog.ts';

/** The watchdog's timers keep no process alive. */
const awake = setInterval(() => {}, 1000);
test.after.always(() => clearInterval(awake));

test('each sign of life is an answer of the probe; without one there is a reason', async t => {
  const told: string[] = [];
  const over = new AbortController();
  const answers = [undefined, 'it stands still', undefined];
  const signs = keepWatched(
    {
      interval: 2,
      probe: async () => {
        if (answers.length === 0) over.abort();
        return answers.length === 0 ? 'over' : answers.shift();
      },
      alive: () => told.push('alive'),
      onWithheld: why => told.push(why),
    },
    over.signal,
  );
  await signs;
  t.deepEqual(told.slice(0, 3), ['alive', 'it stands still', 'alive']);
});

test('as long as the probe has not answered there is no sign of life, also when the timer has long fired', async t => {
  const over = new AbortController();
  let signs = 0;
  let asked = 0;
  const probe = () => {
    asked += 1;
    return new Promise<undefined>(resolve => over.signal.addEventListener('abort', () => resolve(undefined)));
  };
  const watched = keepWatched({interval: 2, probe, alive: () => (signs += 1), onWithheld: () => {}}, over.signal);
  await once(AbortSignal.timeout(100), 'abort');
  t.is(signs, 0);
  t.is(asked, 1);
  over.abort();
  await watched;
});
