import {type Found, type Inspection, read, refuse} from './inspection.ts';

/**
 * An encrypted disk. Declared raw it is refused, as newer releases of Nova do (oslo.utils detects it, and only a partition
 * table passes as raw) and as QEMU would, which takes it for `luks`: a guest that gets it has a disk it cannot boot, and an
 * encrypted volume uploaded from Cinder needs its key, which an image cell-wide cached does not come with.
 */
export function* luks(found: Found): Inspection {
  const header = yield* read(0, 8);
  if (header.length < 8 || header.toString('latin1', 0, 6) !== 'LUKS\xba\xbe') return;
  const it = found('luks');
  it.features['version'] = header.readUInt16BE(6);
  refuse(it, 'encrypted', 'it is encrypted');
}
