/** HTTP byte for byte: a client and a server with nothing in between that would mend what is sent. */
import {once} from 'node:events';
import {type AddressInfo, connect, createServer, type Socket} from 'node:net';

/** What came back on one connection until it was closed. */
export type Reply = {
  status: string;
  /** Name and value, in order, those of the connection left out. */
  headers: [string, string][];
  body: Buffer;
  /** The body is as long as its head, or its chunks, say. */
  whole: boolean;
};

const ofConnection = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'proxy-connection',
  'trailer',
  'upgrade',
]);

/** Sends the bytes and collects all that comes, until the server closes or `until` is true of it. */
export async function exchange(
  port: number,
  sent: string | Buffer,
  until?: (received: Buffer) => boolean,
): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(sent);
  return collect(socket, until);
}

export async function collect(socket: Socket, until?: (received: Buffer) => boolean): Promise<Buffer> {
  socket.on('error', () => {});
  const chunks: Buffer[] = [];
  const closed = new Promise(resolve => socket.once('close', resolve)); // with an error or without
  const enough = Promise.withResolvers<void>();
  socket.on('data', chunk => {
    chunks.push(chunk);
    if (until?.(Buffer.concat(chunks))) enough.resolve();
  });
  await Promise.race([closed, enough.promise]);
  socket.destroy();
  return Buffer.concat(chunks);
}

/** The last answer in what was received; answers such as 100 Continue before it are left out. */
export function readReply(received: Buffer): Reply {
  let rest = received;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return {status: '', headers: [], body: rest, whole: false};
    const [status = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const body = rest.subarray(end + 4);
    if (/^HTTP\/1\.1 1\d\d/.test(status)) {
      rest = body;
      continue;
    }
    const headers = lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(':')),
      line.slice(line.indexOf(':') + 1).trim(),
    ]);
    const value = (wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
    const shown = headers.filter(([name]) => !ofConnection.has(name.toLowerCase()));
    if (value('transfer-encoding') === 'chunked') return {status, headers: shown, ...unchunk(body)};
    const length = value('content-length');
    return {status, headers: shown, body, whole: length === undefined || body.length === Number(length)};
  }
}

function unchunk(body: Buffer): {body: Buffer; whole: boolean} {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.subarray(at, end).toString(), 16);
    if (end < 0 || size === 0) return {body: Buffer.concat(parts), whole: size === 0};
    parts.push(body.subarray(end + 2, end + 2 + size));
    if (body.length < end + 2 + size) return {body: Buffer.concat(parts), whole: false};
    at = end + 2 + size + 2;
  }
}

export type Upstream = AsyncDisposable & {
  port: number;
  url: string;
  /** All that came, a text for each connection. */
  received: string[];
  /** Connections that are open. */
  open: () => number;
};

/** A server that does what `script` says with each connection; `heard` resolves when what came holds the text. */
export async function scripted(
  script: (socket: Socket, heard: (text: string) => Promise<void>) => unknown,
): Promise<Upstream> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    const index = received.push('') - 1;
    const listeners = new Set<() => void>();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', chunk => {
      received[index] += chunk.toString('latin1');
      for (const listener of listeners) listener();
    });
    const heard = (text: string) =>
      new Promise<void>(resolve => {
        const look = () => {
          if (received[index]?.includes(text)) {
            listeners.delete(look);
            resolve();
          }
        };
        listeners.add(look);
        look();
      });
    void script(socket, heard);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const {port} = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    received,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Waits for a condition; fails with its own text. */
export async function eventually(condition: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
