import {type Found, type Inspection, read} from './inspection.ts';

const protective = 0xee;

/**
 * The partition table of a raw disk. It is information only: the bytes are kept as they are, and what the guest's firmware
 * makes of a strange table is the guest's affair. A FAT file system's boot sector has the same signature and no table.
 */
export function* partitions(found: Found): Inspection {
  const sector = yield* read(0, 512);
  const second = yield* read(512, 512);
  const header = second.toString('latin1', 0, 8) === 'EFI PART';
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55 || isFat(sector)) return;
  const entries = [446, 462, 478, 494].map(at => sector.subarray(at, at + 16));
  if (entries.some(entry => ((entry[0] ?? 0) & 0x7f) !== 0)) return; // a boot flag is 0 or 0x80: this is code, not a table
  const types = entries.map(entry => entry[4] ?? 0).filter(type => type !== 0);
  if (types.length === 0) return;
  const it = found(types.includes(protective) ? 'gpt' : 'mbr');
  it.features['partitions'] = types.length;
  it.features['header'] = header;
}

const isFat = (sector: Buffer): boolean =>
  sector.toString('latin1', 54, 57) === 'FAT' || sector.toString('latin1', 82, 87) === 'FAT32';
