/**
 * Port ranges on loopback. Everything that listens in the lab lives in one slot of 100 ports; the last port of a slot is
 * its guard, which we listen on while we start servers there: two labs that start at the same moment never share a slot.
 */
import {createServer, type Server} from 'node:net';

export const slotSize = 100;
const firstSlot = 20_000;
const lastSlot = 32_600; // below the kernel's ephemeral ports

export type Ports = {first: number; release: () => Promise<void>};

/** The slot that begins at `port`; without it, the first free one, those from `preferred` on being tried first. */
export async function reservePorts({port, preferred = firstSlot}: {port?: number; preferred?: number}): Promise<Ports> {
  if (port !== undefined) {
    const ports = await trySlot(port);
    if (!ports) throw new Error(`ports ${port}-${port + slotSize - 1} are not all free on 127.0.0.1`);
    return ports;
  }
  const slots = Array.from({length: (lastSlot - firstSlot) / slotSize + 1}, (_, i) => firstSlot + i * slotSize);
  const ordered = [...slots.filter(slot => slot >= preferred), ...slots.filter(slot => slot < preferred)];
  for (const slot of ordered) {
    const ports = await trySlot(slot);
    if (ports) return ports;
  }
  throw new Error(`no ${slotSize} free ports in a row between ${firstSlot} and ${lastSlot + slotSize} on 127.0.0.1`);
}

async function trySlot(first: number): Promise<Ports | undefined> {
  const guard = await listen(first + slotSize - 1);
  if (!guard) return undefined;
  for (let port = first; port < first + slotSize - 1; port++) {
    const probe = await listen(port);
    if (!probe) {
      await close(guard);
      return undefined;
    }
    await close(probe);
  }
  guard.unref();
  return {first, release: () => close(guard)};
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({port, host: '127.0.0.1', exclusive: true}, () => resolve(server));
  });
}

const close = (server: Server) => new Promise<void>(resolve => server.close(() => resolve()));
