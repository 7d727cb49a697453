/** The bar of a running fill, or of a copy that is read back: on a terminal only, one line that is rewritten, gone when the command is done. */
import type {Progress} from '../api/wire.ts';
import type {Terminal} from './output.ts';
import {formatClock} from './units.ts';

export interface ProgressBar {
  update(progress: Progress): void;
  /** Leaves a clean line for what is printed next; may be called again. */
  clear(): void;
}

/** undefined where nobody would see it. `doing` is the word that the line begins with. */
export function progressBar(
  {stderr, env}: Terminal,
  doing = 'filling',
  now = () => performance.now(),
): ProgressBar | undefined {
  if (!stderr.isTTY || env['TERM'] === 'dumb') return undefined;
  const speed = new Speed();
  let shown = false;
  return {
    update(progress) {
      const rate = speed.of(progress.received, now());
      stderr.write(`\r${renderProgress(progress, rate, stderr.columns || 80, doing)}\x1b[K`);
      shown = true;
    },
    clear() {
      if (shown) stderr.write('\r\x1b[K');
      shown = false;
    },
  };
}

/** One line, shorter than `columns`: the image's first part, MiB, per cent, and where the rate is known MiB/s and the time left. */
export function renderProgress(
  {image, received, size}: Progress,
  rate: number | undefined,
  columns: number,
  doing = 'filling',
): string {
  const mib = (bytes: number) => (bytes / 1024 ** 2).toFixed(0);
  const share = size > 0 ? Math.min(received / size, 1) : 1;
  const numbers = `${mib(received)}/${mib(size)} MiB ${Math.floor(share * 100)}%`;
  const moving = rate !== undefined && rate > 0;
  const pace = moving
    ? ` ${(rate / 1024 ** 2).toFixed(1)} MiB/s ETA ${formatClock(Math.ceil((size - received) / rate))}`
    : '';
  const text = `${doing} ${image.slice(0, 8)} ${numbers}${pace}`;
  const room = Math.min(30, columns - text.length - 4);
  if (room < 5) return text.slice(0, columns - 1);
  const done = Math.floor(room * share);
  return `${text} [${'#'.repeat(done)}${'.'.repeat(room - done)}]`;
}

/** Bytes per second over the last ten seconds: a mean over everything would hide that a transfer has stalled. */
class Speed {
  #samples: {at: number; received: number}[] = [];

  of(received: number, at: number): number | undefined {
    // A fill that starts anew begins to count anew.
    if (received < (this.#samples.at(-1)?.received ?? 0)) this.#samples = [];
    this.#samples.push({at, received});
    this.#samples = this.#samples.filter((sample, i, {length}) => sample.at > at - 10_000 || i >= length - 2);
    const first = this.#samples[0];
    if (first === undefined || at - first.at < 500) return undefined;
    return ((received - first.received) / (at - first.at)) * 1000;
  }
}
