/** Whatever callers send to the facade, Glance sees whole requests, each of them one that the facade took for one too, or nothing. */
import {connect, type Socket} from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import {startFacade} from '../../facade/setup.ts';
import {collect, eventually, scripted} from '../../facade/wire.ts';
import {imageId, imageJson} from '../../helpers/glance-image.ts';
import {bytes, changed, changes, deep, fuzz, nearlyJson} from '../fuzz.ts';
import {readRequests} from './strict.ts';

/** Begins with what hides in a body; where it arrives as a request, somebody was fooled. */
const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
const record = `GET /v2/images/${imageId} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t\r\n\r\n`;
const requests = [
  'GET /a HTTP/1.1\r\nHost: x\r\n\r\n',
  record,
  `PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  `PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
  'DELETE /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
];

/** What has fooled proxies: lengths that disagree, folded lines, spaces and controls where none belong, huge heads. */
const tricks = [
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: 0x5\r\n',
  'Content-Length : 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding:\tchunked\r\n',
  'Transfer-Encoding: \x0bchunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Connection: Content-Length\r\n',
  'Connection: Transfer-Encoding, Host\r\n',
  'Connection: X-Auth-Token\r\n',
  'X-Folded: a\r\n Transfer-Encoding: chunked\r\n',
  ' X-Leading: a\r\n',
  'X-Bare: a\nContent-Length: 5\r\n',
  'X-Return: a\rContent-Length: 5\r\n',
  'X-Null: a\0b\r\n',
  'Host: other\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n',
  'Trailer: Content-Length\r\n',
  `X-Huge: ${'x'.repeat(70_000)}\r\n`,
  ...['\r\n', '\n', ': \r\n', ' \r\n'],
];

type Sent = {
  parts: {request: number; trick: number | null; changes: [number, number, number][]}[];
  cuts: number[];
  noise: string;
};

const sent: fc.Arbitrary<Sent> = fc.record({
  parts: fc.array(
    fc.record({
      request: fc.nat(requests.length - 1),
      trick: fc.option(fc.nat(tricks.length - 1)),
      changes: fc.oneof(
        {weight: 2, arbitrary: fc.constant<[number, number, number][]>([])},
        {weight: 1, arbitrary: changes},
      ),
    }),
    {minLength: 1, maxLength: 3},
  ),
  cuts: fc.array(fc.nat(400), {maxLength: 3}),
  noise: fc.oneof({weight: 5, arbitrary: fc.constant('')}, {weight: 1, arbitrary: bytes({maxLength: 40})}),
});

function build({parts, noise}: Sent): string {
  const text = parts.map(({request, trick, changes: list}) => {
    const plain = requests[request] ?? '';
    const at = plain.indexOf('\r\n') + 2;
    const tricked = trick === null ? plain : plain.slice(0, at) + tricks[trick] + plain.slice(at);
    return changed(tricked, list);
  });
  return text.join('') + noise;
}

/** In pieces, as a network would; then the end. */
async function write(socket: Socket, text: string, cuts: number[]): Promise<void> {
  let at = 0;
  for (const cut of cuts.toSorted((a, b) => a - b).filter(cut => cut < text.length)) {
    socket.write(Buffer.from(text.slice(at, cut), 'latin1'));
    at = cut;
    await new Promise(resolve => setImmediate(resolve));
  }
  socket.write(Buffer.from(text.slice(at), 'latin1'));
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';

/** Answers each request that is whole. */
function answering(body: () => string) {
  return (socket: Socket): void => {
    let text = '';
    let answered = 0;
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      let whole: ReturnType<typeof readRequests>;
      try {
        whole = readRequests(text).filter(message => message.whole);
      } catch {
        return; // half a head; whether it was one for good is looked at in the end
      }
      for (; answered < whole.length; answered++)
        socket.write(whole[answered]?.path.startsWith('/v2/images/') ? body() : ok, 'latin1');
    });
  };
}

test.serial('Glance sees each request as the facade saw it, whole or broken off, whatever the bytes', async t => {
  await using upstream = await scripted(answering(() => ok));
  await using facade = await startFacade({servers: [upstream.url]});
  await fuzz(t, new URL('facade-seeds.ndjson', import.meta.url), sent, async given => {
    const [connections, passed] = [upstream.received.length, facade.passed.length];
    const before = upstream.received.map(text => text.length);
    const socket = connect(facade.port, '127.0.0.1');
    const answers = collect(
      socket,
      received => received.toString('latin1').split('HTTP/1.1 ').length > given.parts.length,
    );
    await write(socket, build(given), given.cuts);
    const ended = setTimeout(() => socket.end(), 20); // half a request would wait for its rest
    await answers;
    clearTimeout(ended);
    await eventually(() => facade.facade.inFlight === 0);
    const news = upstream.received.map((text, index) => (index < connections ? text.slice(before[index]) : text));
    const seen = news.flatMap(readRequests).map(({method, path}) => `${method} ${path}`);
    const told = facade.passed.slice(passed).map(({method, path}) => `${method} ${path}`);
    for (const one of seen) {
      const [method, path = ''] = one.split(' ');
      const index = told.indexOf(`${method} ${path.split('?')[0]}`);
      if (index < 0) throw new Error(`Glance saw ${one}, the facade ${JSON.stringify(told)}`);
      told.splice(index, 1);
    }
  });
  t.is(facade.facade.inFlight, 0);
});

const json = nearlyJson(imageJson());

test.serial(
  "whatever stands in Glance's answer, it comes through to the byte, or as the same record with the offer in it",
  async t => {
    let now = '';
    const offer = {fsid: 'f', pool: 'cellar', image: `${imageId}.01`, snapshot: 'snap', raw: true} as const;
    await using upstream = await scripted(
      answering(
        () => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${now.length}\r\n\r\n${now}`,
      ),
    );
    await using facade = await startFacade({servers: [upstream.url], offer: async () => ({offer})});
    await fuzz(t, new URL('record-seeds.ndjson', import.meta.url), json, async text => {
      now = Buffer.from(text, 'utf8').toString('latin1');
      const response = await fetch(`${facade.url}/v2/images/${imageId}`);
      const body = Buffer.from(await response.arrayBuffer()).toString('latin1');
      if (response.status !== 200) throw new Error(`${response.status}`);
      if (body === now) return;
      if (now.length > deep.length) return; // it came through; nothing here could compare what is nested so deeply
      const [was, is] = [now, body].map(one => JSON.parse(Buffer.from(one, 'latin1').toString('utf8')));
      if (was.id.toLowerCase() !== imageId || was.status !== 'active')
        throw new Error('a record that is none was changed');
      const [first, ...rest] = is.locations;
      if (first.url !== `rbd://f/cellar/${imageId}.01/snap`) throw new Error(`the first location is ${first.url}`);
      const same = {...is, locations: rest, ...('disk_format' in is && {disk_format: was.disk_format})};
      const plain = {...was, locations: was.locations ?? []};
      if (JSON.stringify(sorted(same)) !== JSON.stringify(sorted(plain)))
        throw new Error('something else was changed too');
    });
  },
);

/** Members by name: the place of `locations` is free where there was none. */
const sorted = (record: object): unknown => Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
