import {type Found, type Inspection, read, refuse} from './inspection.ts';

const sector = 2048;
const first = 16 * sector;
/** Volume descriptors of one disc; real ones have fewer than ten. */
const maxDescriptors = 32;
const volumeRecognition = ['CD001', 'BEA01', 'NSR02', 'NSR03', 'TEA01', 'BOOT2', 'CDW02'];

/**
 * ISO 9660 and UDF: a list of descriptors from the 17th sector on, each with its name at its second byte. A disc of UDF alone
 * begins with BEA01 and names UDF (NSR) after it. The bytes are kept as they are, so nothing in them can do harm.
 */
export function* iso(found: Found): Inspection {
  const names: string[] = [];
  let primary: Buffer | undefined;
  let short = false;
  while (names.length < maxDescriptors) {
    const descriptor = yield* read(first + names.length * sector, sector);
    const name = descriptor.toString('latin1', 1, 6);
    if (!volumeRecognition.includes(name)) break;
    names.push(name);
    short ||= descriptor.length < sector;
    if (name === 'CD001' && descriptor[0] === 1) primary ??= descriptor;
  }
  const udf = names.some(name => name.startsWith('NSR'));
  if (names[0] !== 'CD001' && !udf) return;
  const it = found('iso');
  it.features['iso9660'] = names.includes('CD001');
  it.features['udf'] = udf;
  if (short) refuse(it, 'truncated', 'the file ends inside its volume descriptors');
  else if (primary !== undefined) it.features['volumeSize'] = primary.readUInt32LE(80) * primary.readUInt16LE(128);
}
