/** A TCP proxy that passes everything on as it is, and keeps the tokens and passwords that go through it. */
import net, {type AddressInfo} from 'node:net';

export type Overheard = AsyncDisposable & {
  url: string;
  /** Values of the headers that carry tokens, and of passwords in JSON. */
  secrets: Set<string>;
};

const carriers = [/^x-(?:auth|service|subject)-token: *(\S+)\r$/gim, /"password": ?"([^"]+)"/g];

export async function overhear(target: string): Promise<Overheard> {
  const {hostname, port, pathname} = new URL(target);
  const secrets = new Set<string>();
  const sockets = new Set<net.Socket>();
  const listen = (from: net.Socket, to: net.Socket) => {
    let text = '';
    sockets.add(from);
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      to.destroySoon(); // what it was sent arrives
    });
    from.on('data', chunk => {
      to.write(chunk);
      if (text.length > 200_000) return; // heads of messages are what is listened for, not images
      text += chunk.toString('latin1');
      for (const carrier of carriers) for (const [, secret = ''] of text.matchAll(carrier)) secrets.add(secret);
    });
  };
  const server = net.createServer(client => {
    const other = net.connect(Number(port || 80), hostname);
    listen(client, other);
    listen(other, client);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname.replace(/\/$/, '')}`,
    secrets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
