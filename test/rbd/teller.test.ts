/** What is told, and when: with the notifies in the hands of the test. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {Teller} from '../../src/rbd/teller.ts';

/** A teller whose notifies end when they are told to. */
function setUp() {
  const told: {news: string; done: (error?: Error) => void}[] = [];
  const teller = new Teller(news => {
    const {promise, resolve, reject} = Promise.withResolvers<void>();
    told.push({news: String(news), done: error => (error ? reject(error) : resolve())});
    return promise;
  });
  const until = async (count: number) => {
    while (told.length < count) await sleep(5);
  };
  return {teller, told, until, news: () => told.map(({news}) => news)};
}

/** Longer than the time between two notifies. */
const pause = 700;

test('the first news is told at once, of the next ones only the newest, and not before the first has ended', async t => {
  const {teller, told, until, news} = setUp();
  for (const one of ['a', 'b', 'c']) teller.tell(one);
  t.deepEqual(news(), ['a']);
  await sleep(pause);
  t.deepEqual(news(), ['a']);
  teller.tell('d');
  told[0]?.done();
  await until(2);
  t.deepEqual(news(), ['a', 'd']);
  told[1]?.done();
  await sleep(pause);
  t.deepEqual(news(), ['a', 'd']);
});

test('two notifies are half a second apart', async t => {
  const {teller, told, until, news} = setUp();
  const started = performance.now();
  teller.tell('a');
  told[0]?.done();
  for (const one of ['b', 'c']) {
    await sleep(1);
    teller.tell(one);
  }
  await until(2);
  t.true(performance.now() - started >= 499);
  t.deepEqual(news(), ['a', 'c']);
});

test('a notify that fails is not the end of it', async t => {
  const {teller, told, until, news} = setUp();
  teller.tell('a');
  teller.tell('b');
  told[0]?.done(new Error('nobody there'));
  await until(2);
  t.deepEqual(news(), ['a', 'b']);
});

test('the last news is told again when asked, and nothing where there was none', async t => {
  const {teller, told, until, news} = setUp();
  teller.repeat();
  t.deepEqual(news(), []);
  teller.tell('a');
  told[0]?.done();
  teller.repeat();
  await until(2);
  t.deepEqual(news(), ['a', 'a']);
});

test('after the end nothing is told, whatever was waiting', async t => {
  const {teller, told, news} = setUp();
  teller.tell('a');
  teller.tell('b');
  teller.end();
  told[0]?.done();
  await sleep(pause);
  const another = setUp();
  another.teller.tell('a');
  another.told[0]?.done();
  await sleep(1);
  another.teller.tell('b');
  another.teller.end();
  another.teller.repeat();
  await sleep(pause);
  t.deepEqual([news(), another.news()], [['a'], ['a']]);
});
