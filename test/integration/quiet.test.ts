/** A host on which nothing happens: the agent finds out by itself that a partner is back. */
import test from 'ava';
import {startProxy} from '../helpers/proxy.ts';
import {waitFor} from '../lab/run.ts';
import {openstack} from '../lab/shared.ts';
import {answer, makePlace} from './place.ts';

test('Glance was down for the one request that there was; when it is back, that is known without another', async t => {
  await using proxy = await startProxy(openstack().glanceUrl);
  await using place = await makePlace({glance: proxy.url});
  const image = await openstack().uploadImage({bytes: Buffer.alloc(1 << 20, 'x')});
  await using _ = await place.startAgent();
  proxy.fault = (_, response) => {
    response.destroy();
    return true;
  };
  const failed = await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id);
  t.is(failed.code, 75, failed.stderr);
  const state = async () => {
    const {glance} = answer(t, await place.cellar('status')) as {glance: {state: string}};
    return glance.state;
  };
  t.is(await state(), 'down');

  proxy.fault = undefined;
  proxy.seen.length = 0;
  const up = async () => {
    if ((await state()) !== 'up') throw new Error('it is still down');
  };
  await waitFor('Glance to be found up again', up, {everyMs: 1000, timeoutMs: 120_000});
  t.deepEqual(
    proxy.seen.filter(one => one.includes(image.id)),
    [],
  );
});
