/** A fill takes longer than an answer is held: Nova downloads the image itself, as without the facade, whatever the cell gets meanwhile. */
import {randomBytes} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import type {IncomingHttpHeaders} from 'node:http';
import {join} from 'node:path';
import {pipeline} from 'node:stream';
import test from 'ava';
import {requestHeaders} from '../../../src/http/transport.ts';
import {startAgent} from '../../helpers/agent.ts';
import {startProxy} from '../../helpers/proxy.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {uploadQcow2} from './images.ts';
import {baseFiles, downloads, holds, isClone, parentOf} from './look.ts';

const mib = 1 << 20;

let hosts: Hosts;
let host: Host;

test.before('a host', async () => {
  hosts = await startHosts(['outlasted']);
  host = hosts.hosts[0] as Host;
});
test.after.always('it ends', () => hosts?.remove());

/** Is a request with these headers the agent's? The facade sends Nova's on with Nova's. */
const isOurs = (headers: IncomingHttpHeaders | undefined) => headers?.['user-agent'] === requestHeaders['user-agent'];

/** Glance, where downloads of an image wait to be let go: the agent's, and Nova's own, which may come first. */
async function gatedGlance(image: string) {
  const proxy = await startProxy(openstack().glanceUrl);
  const fill = Promise.withResolvers<void>();
  const nova = Promise.withResolvers<void>();
  const path = `/v2/images/${image}/file`;
  proxy.fault = (request, _, upstream) => {
    if (request.path !== path) return false;
    const gate = isOurs(proxy.heads.at(-1)) ? fill : nova; // this request's head is the last one by now
    upstream(async (answer, response) => {
      await gate.promise;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => {});
    });
    return true;
  };
  const novasBegun = () => proxy.seen.some((one, n) => one === `GET ${path}` && !isOurs(proxy.heads[n]));
  return {proxy, fill, nova, novasBegun, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]()};
}

test.serial(
  'a qcow2 image gets its copy while Nova downloads it: the server comes up, and the next one is a clone',
  async t => {
    const {server} = novaLab();
    const bytes = Buffer.concat([randomBytes(8 * mib), Buffer.alloc(8 * mib), randomBytes(mib)]);
    const image = await uploadQcow2(bytes);
    t.teardown(() => openstack().deleteImage(image.id));
    await using glance = await gatedGlance(image.id);
    const file = join(host.socket, '..', 'outlasted.conf');
    writeFileSync(file, `[facade]\nupstream = ${glance.proxy.url}\nhold_timeout = 1\n`);
    await using agent = await startAgent([...host.files, file]);

    const first = await hosts.request({image: image.id});
    await agent.waitForLog(line => line['image'] === image.id && line['reason'] === 'takes-too-long');
    await waitFor("Nova's own download", async () => {
      if (!glance.novasBegun()) throw new Error('it has not begun');
    });
    glance.fill.resolve();
    await agent.waitForLog(({event, image: of}) => event === 'fill-published' && of === image.id);
    glance.nova.resolve();
    const {status, fault} = await server.settled(first, 'ACTIVE');
    t.is(status, 'ACTIVE', fault?.message);
    t.is(await parentOf(first), undefined);
    await holds(t, first, bytes);
    const shown = agent.log.filter(line => line['image'] === image.id && 'heldMs' in line);
    t.deepEqual(
      shown.map(line => line['reason']),
      ['takes-too-long', 'as-before', 'as-before'],
      'it was held once',
    );

    await waitFor('the end of the local copy', async () => {
      if (baseFiles(host).length > 0) throw new Error('it is still there');
    });
    const next = await hosts.boot({image: image.id});
    t.is(next.status, 'ACTIVE', next.fault?.message);
    await isClone(t, next.id, image.id, bytes);
    t.is(await downloads(image.id), 2, 'the fill, and that of Nova');
    for (const id of [first, next.id]) await server.delete(id);
  },
);
