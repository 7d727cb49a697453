import {Feed, Tail} from './feed.ts';
import type {Detection, Found, Inspection} from './inspection.ts';
import {iso} from './iso.ts';
import {type Early, judgeHead} from './judge.ts';
import {luks} from './luks.ts';
import {others} from './others.ts';
import {partitions} from './partitions.ts';
import {qcow2} from './qcow2.ts';
import {vdi} from './vdi.ts';
import {vhd} from './vhd.ts';
import {vhdx} from './vhdx.ts';
import {vmdk} from './vmdk.ts';

const inspections: ((found: Found) => Inspection)[] = [qcow2, vmdk, vdi, vhd, vhdx, iso, partitions, luks, others];

/** What a file is, by every signature that was found in it. Empty: a raw disk as far as anybody can see. */
export type Report = {totalBytes: number; detections: Detection[]};

/**
 * Looks at a file while it streams past, as every format at once, and keeps at most 1.2 MiB of it. What it reports does not
 * depend on how the stream is cut. It never fails on what is in the file: whatever that is, it is a report.
 */
export class Inspector {
  readonly #detections: Detection[] = [];
  readonly #feeds: Feed[];
  readonly #tail = new Tail();
  #position = 0;
  #report: Report | undefined;

  constructor() {
    const found: Found = format => {
      const detection: Detection = {format, virtualSize: undefined, findings: [], features: {}};
      this.#detections.push(detection);
      return detection;
    };
    this.#feeds = inspections.map(inspect => new Feed(inspect(found)));
  }

  /** The chunk may be used again afterwards: what is kept of it is copied. */
  push(chunk: Uint8Array): void {
    for (const feed of this.#feeds) if (!feed.settled) feed.push(chunk, this.#position);
    this.#tail.push(chunk);
    this.#position += chunk.length;
  }

  /**
   * What can be said by now about a file that Glance declares as this. `refuse` and `continue` are for good as far as the head
   * of the file goes; only its end can still speak against it (`finish`, `judgeFormat`). For raw and ISO it is said after the
   * first 96 KiB at most, so nothing need be written before.
   */
  early(declared: string): Early {
    return judgeHead(
      declared,
      this.#detections,
      this.#feeds.every(feed => feed.settled),
    );
  }

  /** The file has ended. Nothing may be pushed after it; asked again it gives the same report. */
  finish(): Report {
    if (this.#report === undefined) {
      for (const feed of this.#feeds) feed.finish(this.#position, this.#tail.bytes);
      // in a fixed order, not in that of the stream
      const detections = this.#detections.sort((a, b) => (a.format < b.format ? -1 : 1));
      this.#report = {totalBytes: this.#position, detections};
    }
    return this.#report;
  }

  /** Bytes it holds now. */
  get held(): number {
    return this.#feeds.reduce((sum, feed) => sum + feed.held, this.#tail.room);
  }
}
