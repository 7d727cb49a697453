/** A real agent whose host's Nova uses the facade: base files of cached images go, by whichever way they come. */
import {randomBytes} from 'node:crypto';
import {mkdirSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {baseName} from '../../src/base/file.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace} from '../integration/place.ts';
import {openstack} from '../lab/shared.ts';
import {isThere} from './place.ts';

async function facadePlace() {
  const url = await deadUrl(); // whose port is free
  const place = await makePlace({conf: `[facade]\nlisten = ${url.slice('http://'.length)}\n`, glance: url});
  const instances = join(place.dir, 'instances');
  const directory = join(instances, '_base');
  mkdirSync(directory, {recursive: true});
  const own = join(place.dir, 'nova.conf');
  writeFileSync(own, `[DEFAULT]\ninstances_path = ${instances}\n`);
  place.files.push(own);
  return Object.assign(place, {url, pathOf: (image: string) => join(directory, baseName(image))});
}

const gone = async (path: string) => {
  while (isThere(path)) await sleep(50);
};

test.serial('what is there when the agent starts, and what is downloaded through the facade', async t => {
  await using place = await facadePlace();
  const glance = openstack();
  const token = await glance.token(glance.admin);
  const image = await glance.uploadImage({bytes: randomBytes(1 << 20)});
  const path = place.pathOf(image.id);
  const get = (what: string) => fetch(`${place.url}/v2/images/${image.id}${what}`, {headers: {'X-Auth-Token': token}});
  {
    await using agent = await place.startAgent();
    writeFileSync(path, 'as an earlier download left it');
    const shown = await get('');
    t.is(shown.status, 200);
    await gone(path); // this host has just filled the copy
    t.like(await agent.waitForLog(({event}) => event === 'base-file-removed'), {image: image.id, path, level: 30});
    // as the pre-caching API of Nova does it
    writeFileSync(`${path}.part`, '');
    const download = await get('/file');
    writeFileSync(`${path}.part`, Buffer.from(await download.arrayBuffer()));
    renameSync(`${path}.part`, path);
    await gone(path);
    t.false(agent.text.includes(token));
    t.is(await agent.stop(), 0);
  }
  writeFileSync(path, 'left while no agent ran');
  await using agent = await place.startAgent();
  await gone(path);
  await agent.waitForLog(({event}) => event === 'base-file-removed');
  t.is(await agent.stop(), 0);
});
