/** A TCP proxy in front of a broker: its connections can be cut, and what a client sends can be kept back. */
import net from 'node:net';

export type TcpProxy = AsyncDisposable & {
  port: number;
  /** How many connections there were. */
  count: number;
  /** Bytes of clients that are kept back. */
  kept: number;
  /** From now on nothing of a client gets through. */
  hold(): void;
  /** Ends every connection, and what was kept back is lost; new ones pass. */
  cut(): void;
};

export async function tcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>();
  let holding = false;
  const server = net.createServer(client => {
    proxy.count += 1;
    const broker = net.connect(target, '127.0.0.1');
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', data => {
      if (holding) proxy.kept += data.length;
      else broker.write(data);
    });
    broker.on('data', data => client.write(data));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const proxy: TcpProxy = {
    port: (server.address() as net.AddressInfo).port,
    count: 0,
    kept: 0,
    hold() {
      holding = true;
    },
    cut() {
      holding = false;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      proxy.cut();
      await new Promise(resolve => server.close(resolve));
    },
  };
  return proxy;
}
