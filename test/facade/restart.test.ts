/** Sockets that stay open while the agent is restarted: who asks in between waits, and is answered. */
import {statSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace} from '../integration/place.ts';
import {openstack} from '../lab/shared.ts';
import {holdAgents} from './held-agents.ts';
import {exchange, readReply} from './wire.ts';

test('requests that come while the agent is restarted wait, and are answered by the next one', async t => {
  const url = await deadUrl();
  const {port} = new URL(url);
  await using place = await makePlace({conf: `[facade]\nlisten = 127.0.0.1:${port}\n`, glance: url});
  const glance = openstack();
  const token = await glance.token(glance.admin);
  const image = await glance.uploadImage({bytes: Buffer.alloc(1 << 20, 'x')});
  await using agents = await holdAgents(place.socket, port, place.files);
  await agents.ready(1);
  const inode = statSync(place.socket).ino;

  const get = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: h\r\nX-Auth-Token: ${token}\r\nConnection: close\r\n\r\n`;
  /** As Nova asks: what is 503 or breaks off is tried again after a second, three times. */
  const ask = async (path: string): Promise<{status: number; tries: number; text: string}> => {
    for (let tries = 1; ; tries++) {
      const {status, body} = readReply(await exchange(Number(port), get(path)));
      const code = Number(status.split(' ')[1] ?? 0);
      if (code === 200 || tries === 4) return {status: code, tries, text: body.toString()};
      await sleep(1000);
    }
  };
  const first = await ask(`/v2/images/${image.id}`);
  t.true(JSON.parse(first.text).locations[0].url.includes(`/${place.cache}/`));

  let asking = true;
  const shown: string[] = [];
  const bad: unknown[] = [];
  const keepAsking = async (path: string) => {
    while (asking) {
      const {status, tries, text} = await ask(path);
      if (status !== 200) bad.push({path, status, tries, text});
      else if (path.endsWith(image.id)) shown.push(text);
    }
  };
  const asked = Array.from({length: 10}, (_, index) =>
    keepAsking(index % 2 === 0 ? '/v2/schemas/image' : `/v2/images/${image.id}`),
  );
  process.kill(await agents.ready(1), 'SIGTERM');
  await agents.ended(1);
  const api = place.cellar('status'); // its connection waits too
  const second = await agents.ready(2);
  t.not(second, await agents.ready(1));
  const before = shown.length;
  while (shown.length < before + 10) await sleep(20);
  asking = false;
  await Promise.all(asked);
  t.deepEqual(bad, []);
  t.deepEqual(new Set(shown), new Set([first.text]));
  t.is((await api).code, 0);
  t.is(statSync(place.socket).ino, inode, 'the socket is the same one');
});
