import type {Converter} from '../core/ports.ts';
import {checkWithQemu} from './check.ts';
import {convert} from './convert.ts';
import {checkLimits, type QemuLimits} from './limits.ts';
import type {RbdTarget} from './rbd-url.ts';
import {Spool, type SpoolOptions} from './spool.ts';

export type ConverterOptions = {
  /** The spool: an absolute path, and the bytes of all its files together. */
  directory: string;
  limit: number;
  /** The cache pool, and how qemu-img reaches it. */
  target: Omit<RbdTarget, 'image'>;
  limits: QemuLimits;
  /** Makes digests on another thread, by OpenSSL's names. */
  hasher: SpoolOptions['hasher'];
};

export type QemuConverter = Converter & {
  /** Makes the spool ready, unless it is. Fails with what is wrong with it; the next call, and the next conversion, tries again. */
  openSpool(): Promise<void>;
};

/** `Converter` on qemu-img. Without a spool it fails, and all that needs no conversion goes on. */
export function qemuConverter({directory, limit, target, limits, hasher}: ConverterOptions): QemuConverter {
  let opened: Promise<Spool> | undefined;
  const spool = () => {
    opened ??= Spool.open({directory, limit, hasher}).catch(error => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    openSpool: async () => void (await spool()),
    spool: async (bytes, digests) => (await spool()).create(bytes, digests),
    check: (path, expected, signal) => checkWithQemu({path, expected, limits: checkLimits, signal}),
    convert: (source, qemu, image, signal) => convert({source, qemu, target: {...target, image}, limits, signal}),
  };
}
