import test from 'ava';
import {peerOf, Rate} from '../../src/registrar/rate.ts';

test('so many at once, then as many a minute, each peer for itself', t => {
  const rate = new Rate(3);
  for (let n = 0; n < 3; n += 1) t.is(rate.take('a', 0), 0);
  t.is(rate.take('a', 0), 20_000);
  t.is(rate.take('b', 0), 0);
  t.is(rate.take('a', 10_000), 10_000);
  t.is(rate.take('a', 20_000), 0);
  t.is(rate.take('a', 20_000), 20_000);
  for (let n = 0; n < 3; n += 1) t.is(rate.take('a', 1e9), 0, 'no more than a minute is saved up');
  t.not(rate.take('a', 1e9), 0);
});

test('asking while refused does not put the next one off', t => {
  const rate = new Rate(60);
  for (let n = 0; n < 60; n += 1) rate.take('a', 0);
  for (let ms = 0; ms < 1000; ms += 100) t.true(Math.abs(rate.take('a', ms) - (1000 - ms)) <= 1);
  t.is(rate.take('a', 1001), 0);
});

test('0 is no limit, and nobody is remembered', t => {
  const rate = new Rate(0);
  for (let n = 0; n < 1000; n += 1) t.is(rate.take('a', 0), 0);
  t.is(rate.size, 0);
});

test('the memory of peers is bounded: who has not asked for the longest time is forgotten', t => {
  const rate = new Rate(1);
  for (let n = 0; n < 10_000; n += 1) rate.take(`peer-${n}`, 0);
  t.not(rate.take('peer-0', 0), 0, 'which makes it the last');
  rate.take('another', 0);
  t.is(rate.size, 10_000);
  t.not(rate.take('peer-0', 0), 0);
  t.is(rate.take('peer-1', 0), 0, 'forgotten');
});

test('an IPv6 peer is its /64, an IPv4 one its address in whatever form', t => {
  t.is(peerOf('10.0.0.1'), '10.0.0.1');
  t.is(peerOf('::ffff:10.0.0.1'), '10.0.0.1');
  t.is(peerOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.is(peerOf('2001:db8:1:2::6'), '2001:db8:1:2::/64');
  t.is(peerOf('2001:DB8::6'), '2001:db8:0:0::/64');
  t.is(peerOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.is(peerOf('::1'), '0:0:0:0::/64');
  t.is(peerOf(undefined), '');
});
