import {Writable} from 'node:stream';
import test from 'ava';
import {progressBar, renderProgress} from '../../src/cli/progress.ts';

const image = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';
const mib = 1024 ** 2;

function terminal(isTTY: boolean, env: Record<string, string> = {}) {
  let written = '';
  const stream = () =>
    Object.assign(
      new Writable({
        write(chunk, _, done) {
          written += chunk;
          done();
        },
      }),
      {isTTY, columns: 100},
    );
  return {stdout: stream(), stderr: stream(), env, written: () => written};
}

test('the line has MiB, per cent, rate and time left', t => {
  t.is(
    renderProgress({image, received: 150 * mib, size: 600 * mib}, 45 * mib, 100),
    'filling 5b9a1f0e 150/600 MiB 25% 45.0 MiB/s ETA 0:10 [#######.......................]',
  );
});

test('without a rate there is none on the line, and no time left', t => {
  t.is(
    renderProgress({image, received: 0, size: 10 * mib}, undefined, 50),
    'filling 5b9a1f0e 0/10 MiB 0% [..................]',
  );
  t.is(
    renderProgress({image, received: mib, size: 10 * mib}, 0, 50),
    'filling 5b9a1f0e 1/10 MiB 10% [#................]',
  );
});

test('the line is shorter than the terminal is wide', t => {
  for (let columns = 10; columns < 130; columns += 1) {
    const line = renderProgress({image, received: 99 * mib, size: 100 * mib}, mib, columns);
    t.true(line.length < columns, `${columns}: ${line}`);
  }
});

test('more than all, and all of nothing, is 100%', t => {
  t.regex(renderProgress({image, received: 20, size: 10}, undefined, 80), / 100% \[#+\]$/);
  t.regex(renderProgress({image, received: 0, size: 0}, undefined, 80), / 100% \[#+\]$/);
});

test('the rate is that of the last ten seconds', t => {
  let now = 0;
  const screen = terminal(true);
  const bar = progressBar(screen, 'filling', () => now);
  for (; now <= 60_000; now += 1000) bar?.update({image, received: Math.min(now, 30_000) * 1000, size: 10 ** 9});
  const rates = screen
    .written()
    .split('\r')
    .map(line => /([\d.]+) MiB\/s/.exec(line)?.[1]);
  t.is(rates[1], undefined);
  t.is(rates[20], (1e6 / mib).toFixed(1));
  t.is(rates.at(-1), undefined, 'a stalled transfer has no rate');
});

test('a fill that begins anew is measured anew', t => {
  let now = 0;
  const screen = terminal(true);
  const bar = progressBar(screen, 'filling', () => now);
  bar?.update({image, received: 5 * mib, size: 10 * mib});
  now = 1000;
  bar?.update({image, received: mib, size: 10 * mib});
  t.false(screen.written().includes('MiB/s'));
  now = 2000;
  bar?.update({image, received: 2 * mib, size: 10 * mib});
  t.true(screen.written().includes('2/10 MiB 20% 1.0 MiB/s ETA 0:08'));
});

test('the line is cleared once, and only when there was one', t => {
  const screen = terminal(true);
  const bar = progressBar(screen, 'filling', () => 0);
  bar?.clear();
  t.is(screen.written(), '');
  bar?.update({image, received: 0, size: 1});
  bar?.clear();
  bar?.clear();
  t.is(screen.written().split('\r\x1b[K').length, 2);
});

test('there is no bar without a terminal, or on a dumb one', t => {
  t.is(progressBar(terminal(false)), undefined);
  t.is(progressBar(terminal(true, {TERM: 'dumb'})), undefined);
});
