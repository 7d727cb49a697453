/** Sizes and times between people and programs. Pure. */
import {CellarError} from '../core/errors.ts';

const sizes = {K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4} as const;

/** `10G` and `10GiB` are 10 × 2^30 bytes, `1048576` is bytes. Anything that could be read in two ways is refused. */
export function parseSize(text: string): number {
  const refuse = (why: string) =>
    new CellarError('usage', `the size ${JSON.stringify(text)} ${why}`, {hint: 'write 10G, 512M or a number of bytes'});
  const match = /^(\d+)(?:([KMGT])(iB|B)?)?$/i.exec(text.trim());
  if (match === null) throw refuse('is not a whole number with K, M, G or T');
  const [, digits = '', letter = '', tail] = match;
  if (tail?.toUpperCase() === 'B') {
    throw refuse(`may mean powers of 1000 or of 1024; write ${digits}${letter.toUpperCase()}iB for the latter`);
  }
  const bytes = Number(digits) * (letter === '' ? 1 : sizes[letter.toUpperCase() as keyof typeof sizes]);
  if (bytes === 0) throw refuse('is nothing');
  if (!Number.isSafeInteger(bytes)) throw refuse('is too large');
  return bytes;
}

const seconds = {'': 1, s: 1, m: 60, h: 3600} as const;

/** `90`, `90s`, `10m`, `2h`, as milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)([smh]?)$/.exec(text.trim());
  const ms = match === null ? 0 : Number(match[1]) * seconds[match[2] as keyof typeof seconds] * 1000;
  // Timers of Node hold 31 bits, and what is longer fires at once.
  if (ms > 0 && ms < 2 ** 31) return ms;
  throw new CellarError('usage', `the time ${JSON.stringify(text)} is not a number of seconds, like 90, or 10m or 2h`, {
    hint: 'it must be more than 0 and less than 24 days',
  });
}

/** Bytes in the largest unit of which there is at least one: `20 GiB`, `584.5 MiB`. */
export function formatSize(bytes: number): string {
  const [unit, size] = Object.entries(sizes).findLast(([, one]) => bytes >= one) ?? ['', 1];
  if (unit === '') return `${bytes} B`;
  const amount = bytes / size;
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${unit}iB`;
}

/** `0.153 s`, `12.3 s`, `2:05 min`, `1:02:05 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${(ms / 1000).toFixed(3)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${formatClock(ms / 1000)} ${ms < 3_600_000 ? 'min' : 'h'}`;
}

/** How long ago something was, in its largest unit: `0 s`, `59 s`, `3 min`, `2 h`, `4 d`. */
export function formatAge(ms: number): string {
  const past = Math.max(0, Math.floor(ms / 1000));
  const [unit, size] = Object.entries(ages).findLast(([, one]) => past >= one) ?? ['s', 1];
  return `${Math.floor(past / size)} ${unit}`;
}

const ages = {s: 1, min: 60, h: 3600, d: 86_400} as const;

/** Seconds as `0:09`, `2:05` or `1:02:05`. */
export function formatClock(total: number): string {
  const whole = Math.floor(total);
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
