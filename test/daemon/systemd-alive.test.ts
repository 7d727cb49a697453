/** The addon as it is, with calls to a cluster that does not answer. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {addonProbe} from '../../src/daemon/systemd-alive.ts';
import {loadBinding} from '../../src/rbd/binding.ts';

const {connect, ping, counters, threadLimit} = loadBinding();

test.serial('an addon with nothing to do is alive', async t => {
  t.is(await addonProbe({ping, counters, threadLimit, patience: 30_000})(), undefined);
});

test.serial('threads that are all at calls to a cluster are alive, until none comes free for too long', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-alive-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const conf = join(dir, 'ceph.conf');
  writeFileSync(conf, '[global]\nmon_host = 127.0.0.1:1\nauth_client_required = none\n');
  const timeouts = {clientMountTimeoutMs: 5000, osdOpTimeoutMs: 5000, monOpTimeoutMs: 5000};
  const calls = Array.from({length: threadLimit}, () => connect({user: 'nobody', conf, ...timeouts}).catch(() => {}));
  while (counters().running < threadLimit) await sleep(1); // a thread that only begins takes a ping before its call
  const soon = {ping, counters: () => ({...counters(), running: threadLimit}), threadLimit, patience: 20};
  const busy = addonProbe(soon);
  t.is(await busy(), undefined);
  t.regex((await addonProbe({...soon, longestCall: 10})()) ?? '', /the addon's threads have not answered for/);
  await Promise.all(calls);
  t.is(await addonProbe({...soon, patience: 30_000})(), undefined);
});

test.serial('threads that have time and do not answer are not alive', async t => {
  const never = new Promise<void>(() => {});
  const probe = addonProbe({ping: () => never, counters, threadLimit, patience: 5});
  t.regex((await probe()) ?? '', /the addon's threads have not answered for 0 s/);
});
