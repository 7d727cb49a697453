import type {Cell} from '../core/ports.ts';
import {cloneFormat} from './clone-format.ts';
import {Connection} from './connection.ts';
import {RbdCopies} from './copies.ts';
import {RbdDisks} from './disks.ts';
import {RbdIndex} from './index.ts';
import {RbdIntents} from './intents.ts';
import {RbdLeases} from './leases.ts';
import type {ConnectOptions, NativeBinding} from './native.ts';
import {RbdTrash} from './trash.ts';
import {RbdUsage} from './usage.ts';

export type RbdCellOptions = {
  binding: NativeBinding;
  connect: ConnectOptions;
  expectedFsid?: string;
  /** The cache pool. */
  pool: string;
  cloneFormat: 'auto' | '1' | '2';
  /** ms */
  leaseDuration: number;
  busyTimeout: number;
  /** Who we are, for other agents to read. */
  holder: string;
  onLeaseLost?: (name: string) => void;
};

/** The cell's cluster. `fsid` proves the connection; `close` waits for what runs. */
export type RbdCell = Cell & {fsid(signal: AbortSignal): Promise<string>; close(): Promise<void>};

/**
 * The cell's cluster over two connections: one for clones and the index, one for fills and their leases, without librbd's
 * cache (a filler writes whole objects once). When a filler is fenced off, or its session breaks, clones go on.
 */
export function rbdCell(options: RbdCellOptions): RbdCell {
  const {binding, connect, expectedFsid, pool, busyTimeout, leaseDuration, holder, onLeaseLost} = options;
  const pin = expectedFsid === undefined ? {} : {expectedFsid};
  const clones = new Connection({binding, connect, ...pin});
  const fills = new Connection({
    binding,
    connect: {...connect, options: {...connect.options, rbd_cache: 'false'}},
    ...pin,
  });
  const disks = new RbdDisks({connection: clones, cloneFormat: cloneFormat(options.cloneFormat, clones), busyTimeout});
  return {
    disks,
    trash: new RbdTrash(clones),
    copies: new RbdCopies({connection: fills, pool, busyTimeout}),
    index: new RbdIndex(clones, pool),
    usage: new RbdUsage(clones, pool),
    intents: new RbdIntents(clones, pool),
    leases: new RbdLeases({
      connection: fills,
      pool,
      duration: leaseDuration,
      holder,
      ...(onLeaseLost && {onLost: onLeaseLost}),
    }),
    fsid: signal => disks.fsid(signal),
    close: async () => {
      await Promise.all([clones.close(), fills.close()]);
    },
  };
}
