import {sendDatagram} from './datagram.ts';

export type ManagerOptions = {
  /** systemd's NOTIFY_SOCKET; without one nothing is told. */
  socket: string | undefined;
  /** Told once, when the manager cannot be reached. */
  onTrouble(error: unknown): void;
};

/** ms until what a full queue did not take is sent again. */
const again = 200;
/** Messages that wait for room. More only pile up when the manager is gone, and then they are worth nothing. */
const longest = 32;

/**
 * What systemd is told of a service (sd_notify(3), protocol only). Nothing here waits or fails: a manager that does not answer is
 * no reason for a service to stop.
 */
export class ServiceManager {
  readonly #options: ManagerOptions;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #status = '';
  #troubled = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /** It answers: what waits for it may start. Also the end of a reload. */
  ready(status: string): void {
    this.#tell(['READY=1', ...this.#changed(status)]);
  }

  /** One line for `systemctl status`; sent when it is another than the last. */
  status(status: string): void {
    this.#tell(this.#changed(status));
  }

  /** It reads its configuration; `ready` ends that. */
  reloading(): void {
    const now = process.hrtime.bigint() / 1000n; // of CLOCK_MONOTONIC
    this.#tell(['RELOADING=1', `MONOTONIC_USEC=${now}`]);
  }

  /** It ends, and may take `ms` from now, whatever TimeoutStopSec says. */
  stopping(ms: number): void {
    this.#tell(['STOPPING=1', `EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1000)}`, ...this.#changed('stopping')]);
  }

  /** A sign of life. */
  alive(): void {
    this.#tell(['WATCHDOG=1']);
  }

  #changed(status: string): string[] {
    const line = status.replaceAll(/\s+/g, ' ').trim();
    if (line === this.#status) return [];
    this.#status = line;
    return [`STATUS=${line}`];
  }

  #tell(lines: string[]): void {
    if (lines.length === 0 || this.#options.socket === undefined) return;
    this.#waiting.push(lines.join('\n'));
    this.#waiting = this.#waiting.slice(-longest);
    if (this.#timer === undefined) this.#flush(this.#options.socket);
  }

  /** In order: a READY must not come after the STOPPING that followed it. */
  #flush(socket: string): void {
    this.#timer = undefined;
    try {
      while (this.#waiting[0] !== undefined) {
        if (!sendDatagram(socket, this.#waiting[0])) {
          this.#timer = setTimeout(() => this.#flush(socket), again).unref();
          return;
        }
        this.#waiting.shift();
      }
    } catch (error) {
      this.#waiting = [];
      if (!this.#troubled) this.#options.onTrouble(error);
      this.#troubled = true;
    }
  }
}
