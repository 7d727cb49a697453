import test from 'ava';
import {isPassing, retryAfter, retryDelay} from '../../src/http/retry.ts';

const policy = {retries: 3, delay: 1000, maxDelay: 3000, deadline: 20_000};
const delay = (round: number, rest = {}) => retryDelay(policy, {round, elapsed: 0, random: 0, ...rest});

test('the pause doubles up to its limit, and half of it is chance', t => {
  t.deepEqual([delay(1), delay(2), delay(3)], [500, 1000, 1500]);
  const late = {random: 0.999999};
  t.deepEqual(
    [delay(1, late), delay(2, late), delay(3, late)].map(wait => Math.round(wait ?? Number.NaN)),
    [1000, 2000, 3000],
  );
});

test('after the last retry there is no other', t => {
  t.is(delay(4), undefined);
  t.is(retryDelay({...policy, retries: 0}, {round: 1, elapsed: 0, random: 0}), undefined);
});

test('another server is tried at once, costs no retry, and knows no deadline', t => {
  t.is(delay(4, {elsewhere: true, random: 0.9, retryAfter: 7000}), 0);
  t.is(delay(1, {elsewhere: true, elapsed: 60_000}), 0);
});

test('Retry-After is waited out, never cut short', t => {
  t.is(delay(1, {retryAfter: 7000}), 7000);
  t.is(delay(1, {retryAfter: 7000, random: 0.5}), 7250);
  t.is(delay(1, {retryAfter: 0}), 0);
});

test('nothing is begun after the deadline', t => {
  t.is(delay(1, {elapsed: 19_500}), 500);
  t.is(delay(1, {elapsed: 19_501}), undefined);
  t.is(delay(1, {retryAfter: 20_001}), undefined);
});

test('Retry-After in seconds, or as a date on the clock of the server', t => {
  t.is(retryAfter({}), undefined);
  t.is(retryAfter({'retry-after': '120'}), 120_000);
  const [date, later] = ['Wed, 21 Oct 2015 07:28:00 GMT', 'Wed, 21 Oct 2015 07:28:30 GMT'];
  t.is(retryAfter({'retry-after': later, date}), 30_000);
  t.is(retryAfter({'retry-after': date, date: later}), 0);
  t.is(retryAfter({'retry-after': 'soon', date}), undefined);
});

test('429 and failures of the server pass, answers to the request do not', t => {
  t.true([429, 500, 502, 503, 504].every(isPassing));
  t.false([200, 204, 301, 400, 401, 403, 404, 409, 501, 505].some(isPassing));
});
