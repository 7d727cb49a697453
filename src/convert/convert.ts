import {CellarError} from '../core/errors.ts';
import type {QemuView} from '../core/format/index.ts';
import type {QemuLimits} from './limits.ts';
import {progressReader} from './progress.ts';
import {type RbdTarget, rbdUrl} from './rbd-url.ts';
import {type QemuResult, qemuImg} from './run.ts';
import {sourceSpec} from './source.ts';

export type ConvertOptions = {
  /** An absolute path: a file that was inspected, and that nobody can have changed since. */
  source: string;
  qemu: Pick<QemuView, 'driver' | 'options'>;
  /** A new image, at least as large as the disk, that nothing was written to. */
  target: RbdTarget;
  limits: QemuLimits;
  signal: AbortSignal;
  /** How much is done, 0 to 1. */
  onProgress?: (done: number) => void;
};

/**
 * Writes the disk in `source` into an RBD image: straight, without a raw file in between. Runs of zeros of 64 KiB and more are
 * left out (the image is new), as in a fill of a raw image. When it returns everything was written and flushed.
 *
 * Fails with `unacceptable` when the source cannot be read or a limit is reached, `no-space` when the pool is full, `timeout`
 * or `unavailable` when the cluster does not answer. After a failure or an abort the process is gone, and the image holds
 * something: remove it. Ceph keeps a killed client's watch on the image for 30 s.
 */
export async function convert({source, qemu, target, limits, signal, onProgress}: ConvertOptions): Promise<void> {
  const args = [
    ...['convert', '-p', '-n', '--target-is-zero'],
    ...['-t', 'none', '-W', '-m', '16', '-S', '64k'], // no librbd cache; 16 blocks of 2 MiB on their way, in any order
    ...['-f', qemu.driver, '-O', 'raw', sourceSpec(qemu, source), rbdUrl(target)],
  ];
  const onOutput = onProgress && progressReader(onProgress);
  const result = await qemuImg(args, {limits, signal, onOutput});
  if (result.status !== 0) throw conversionError(result, target);
}

/** qemu-img has one exit status for every failure; what it was is in its words. */
function conversionError({died, stderr}: QemuResult, {pool, image}: RbdTarget): CellarError {
  const object = `${pool}/${image}`;
  const words = (stderr.split('\n').at(-1) ?? '').replaceAll(/Could not open '.*?': /g, '').slice(0, 500);
  const limited =
    died ?? (/Cannot allocate memory|failed to map segment/.test(stderr) ? 'it needed more memory' : undefined);
  if (limited !== undefined) {
    return new CellarError('unacceptable', `the conversion into ${object} was ended: ${limited}`, {
      hint: 'if the image is to be trusted, raise the limits of conversions and try again',
      object,
    });
  }
  const what = `the conversion into ${object} failed: ${words || 'qemu-img gave no reason'}`;
  if (/No space left on device|Disk quota exceeded/.test(stderr))
    return new CellarError('no-space', what, {hint: `make room in pool ${pool}, then try again`, object});
  if (/(error while reading|^qemu-img: Could not open 'json:)/m.test(stderr))
    return new CellarError('unacceptable', what, {hint: 'the image is damaged: upload it again', object});
  if (/Connection timed out/.test(stderr))
    return new CellarError('timeout', what, {hint: 'look at the health of the cluster, then try again', object});
  return new CellarError('unavailable', what, {hint: 'look at the health of the cluster, then try again', object});
}
