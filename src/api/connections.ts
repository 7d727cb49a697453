import type {ServerResponse} from 'node:http';
import type {Socket} from 'node:net';

/** A server's connections, and how many answers each of them still owes. */
export class Connections {
  readonly #owed = new Map<Socket, number>();

  add(socket: Socket): void {
    // A socket's close is what aborts a request, and each request of a pipeline listens.
    socket.setMaxListeners(0);
    this.#owed.set(socket, 0);
    socket.once('close', () => this.#owed.delete(socket));
  }

  owes(socket: Socket): boolean {
    return (this.#owed.get(socket) ?? 0) > 0;
  }

  begin(socket: Socket): void {
    this.#count(socket, 1);
  }

  /** Waits until the answer is out, or its reader is gone. */
  async end(socket: Socket, response: ServerResponse): Promise<void> {
    await flushed(socket, response);
    this.#count(socket, -1);
  }

  closeIdle(): void {
    for (const socket of this.#owed.keys()) if (!this.owes(socket)) socket.destroySoon();
  }

  closeAll(): void {
    for (const socket of this.#owed.keys()) socket.destroy();
  }

  #count(socket: Socket, change: number): void {
    const owed = this.#owed.get(socket);
    if (owed !== undefined) this.#owed.set(socket, owed + change);
  }
}

function flushed(socket: Socket, response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      socket.off('close', settle);
      response.off('close', settle);
      resolve();
    };
    if (response.closed || socket.destroyed) return resolve();
    response.once('close', settle);
    // Of a pipeline on a dead connection only the first response is told.
    socket.once('close', settle);
  });
}
