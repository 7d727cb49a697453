import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import {abortable, type Flight, SingleFlight} from '../../src/core/single-flight.ts';

const never = new AbortController().signal;

/** Work that ends when it is told to, and cleans up when it is aborted until it is told that it has. */
function work() {
  const flights: (Flight<number> & {end: PromiseWithResolvers<string>})[] = [];
  const start = (flight: Flight<number>) => {
    const end = Promise.withResolvers<string>();
    flights.push({...flight, end});
    return end.promise;
  };
  return {flights, start};
}

test('all who ask while it runs share one flight; the first leads', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const all = Promise.all([1, 2, 3].map(() => fills.run('a', start, {signal: never})));
  await turn();
  t.is(flights.length, 1);
  flights[0]?.end.resolve('done');
  t.deepEqual(
    await all,
    [true, false, false].map(leader => ({value: 'done', leader})),
  );
  t.deepEqual(fills.running, []);
});

test('other keys fly by themselves, and a key flies anew after it landed', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const first = Promise.all(['a', 'b'].map(key => fills.run(key, start, {signal: never})));
  await turn();
  t.is(flights.length, 2);
  for (const {end} of flights) end.resolve('done');
  await first;
  const second = fills.run('a', start, {signal: never});
  await turn();
  t.is(flights.length, 3);
  flights[2]?.end.resolve('again');
  t.is((await second).value, 'again');
});

test('an error reaches all who wait, and the next to ask starts anew', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const all = Promise.allSettled([1, 2].map(() => fills.run('a', start, {signal: never})));
  await turn();
  flights[0]?.end.reject(new Error('no'));
  t.deepEqual(
    (await all).map(({status}) => status),
    ['rejected', 'rejected'],
  );
  const next = fills.run('a', start, {signal: never});
  flights[1]?.end.resolve('yes');
  t.deepEqual(await next, {value: 'yes', leader: true});
});

test('a caller that aborts leaves at once, and the flight goes on for the others, be it the leader who left', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const leaver = new AbortController();
  const leader = fills.run('a', start, {signal: leaver.signal});
  const joiner = fills.run('a', start, {signal: never});
  leaver.abort(new Error('gone'));
  await t.throwsAsync(leader, {message: 'gone'});
  t.false(flights[0]?.signal.aborted);
  flights[0]?.end.resolve('done');
  t.deepEqual(await joiner, {value: 'done', leader: false});
});

test('the last to leave aborts the flight and waits until it has cleaned up', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const leavers = [new AbortController(), new AbortController()];
  let left = 0;
  const runs = leavers.map(({signal}) => fills.run('a', start, {signal}).catch(() => left++));
  await turn();
  for (const leaver of leavers) leaver.abort(new Error('gone'));
  await turn();
  t.true(flights[0]?.signal.aborted);
  t.is(left, 1);
  flights[0]?.end.reject(new Error('cleaned up'));
  await Promise.all(runs);
  t.is(left, 2);
});

test('who comes while an abandoned flight cleans up waits for that, and then starts anew', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const leaver = new AbortController();
  const left = t.throwsAsync(fills.run('a', start, {signal: leaver.signal}), {message: 'gone'});
  leaver.abort(new Error('gone'));
  await turn();
  const newcomers = Promise.all([1, 2].map(() => fills.run('a', start, {signal: never})));
  await turn();
  t.is(flights.length, 1);
  flights[0]?.end.reject(new Error('cleaned up'));
  await turn();
  t.is(flights.length, 2);
  flights[1]?.end.resolve('anew');
  t.deepEqual(
    (await newcomers).map(({leader}) => leader),
    [true, false],
  );
  await left;
});

test('who waits for a clean-up that takes long can leave', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const leaver = new AbortController();
  const left = fills.run('a', start, {signal: leaver.signal}).catch(() => {});
  leaver.abort();
  await turn();
  const newcomer = new AbortController();
  const waits = fills.run('a', start, {signal: newcomer.signal});
  newcomer.abort(new Error('no patience'));
  await t.throwsAsync(waits, {message: 'no patience'});
  flights[0]?.end.resolve('late');
  await left;
});

test('who asks with an aborted signal starts nothing', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  await t.throwsAsync(fills.run('a', start, {signal: AbortSignal.abort(new Error('gone'))}), {message: 'gone'});
  t.is(flights.length, 0);
});

test('a listener that throws hears the news alone: the flight and the others are none the worse', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const heard: number[] = [];
  const bad = {
    signal: never,
    onProgress: () => {
      throw new Error('a bug');
    },
  };
  const first = fills.run('a', start, bad);
  const second = fills.run('a', start, {signal: never, onProgress: at => heard.push(at)});
  flights[0]?.report(1);
  const late = fills.run('a', start, bad);
  flights[0]?.end.resolve('done');
  t.deepEqual(
    (await Promise.all([first, second, late])).map(({value}) => value),
    ['done', 'done', 'done'],
  );
  t.deepEqual(heard, [1]);
});

test('progress reaches all who wait, a late joiner hears the last of it, and it is there to be listed', async t => {
  const {flights, start} = work();
  const fills = new SingleFlight<string, number>();
  const heard: string[] = [];
  const listen = (who: string) => ({signal: never, onProgress: (at: number) => heard.push(`${who}${at}`)});
  const first = fills.run('a', start, listen('a'));
  flights[0]?.report(1);
  const second = fills.run('a', start, listen('b'));
  flights[0]?.report(2);
  t.deepEqual(heard, ['a1', 'b1', 'a2', 'b2']);
  t.deepEqual(fills.running, [{key: 'a', progress: 2}]);
  flights[0]?.end.resolve('done');
  await Promise.all([first, second]);
});

test('who had given up before does not hear of a failure, and nor does the process', async t => {
  const {promise, reject} = Promise.withResolvers<never>();
  await t.throwsAsync(abortable(promise, AbortSignal.abort(new Error('gone'))), {message: 'gone'});
  reject(new Error('later')); // unhandled, it would fail the whole file
  await turn();
});
