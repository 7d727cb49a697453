import {crc32c} from './crc32c.ts';
import {
  type Detection,
  end,
  type Found,
  type Inspection,
  isPowerOfTwo,
  read,
  refuse,
  setVirtualSize,
} from './inspection.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const headerLength = 4 * KiB;
const tableLength = 64 * KiB;
const maxEntries = 2047;

const regions = {bat: '2dc27766f62342009d64115e9bfd4a08', metadata: '8b7ca20647904b9ab8fe575f050f886e'};
const items = {
  fileParameters: 'caa16737fa364d43b3b633f0aa44e76b',
  virtualSize: '2fa54224cd1b4876b2115dbed83bf4b8',
  logicalSector: '8141bf1da96f4709ba47f233a8faab5f',
  physicalSector: 'cda348c7445d44719cc9e9885251c556',
  page83: 'beca12abb2e6452393efc309e000c746',
  parentLocator: 'a8d35f2db30b454dabf7d3d84834ab0c',
};

type Entry = {id: string; offset: number; length: number; required: boolean};

/** Microsoft's VHDX (MS-VHDX): two headers, a table of regions, a region of metadata, each item wherever it likes. */
export function* vhdx(found: Found): Inspection {
  const magic = yield* read(0, 8);
  if (magic.toString('latin1') !== 'vhdxfile') return;
  const it = found('vhdx');
  const truncated = () => refuse(it, 'truncated', 'the file ends inside its header');
  const headers = [yield* read(64 * KiB, headerLength), yield* read(128 * KiB, headerLength)];
  judgeHeaders(it, headers);
  const table = yield* read(192 * KiB, tableLength);
  if (table.length < tableLength) return truncated();
  const region = judgeRegions(it, table);
  if (region === undefined) return;

  const metadata = yield* read(region.offset, tableLength);
  if (metadata.length < tableLength) return truncated();
  const list = judgeMetadata(it, metadata, region);
  // in the order of the file: a stream does not go back
  for (const {id, offset, length} of list.sort((a, b) => a.offset - b.offset)) {
    const value = yield* read(region.offset + offset, Math.min(length, 8));
    judgeItem(it, id, value);
  }
  const missing = [items.fileParameters, items.virtualSize, items.logicalSector].find(
    id => !list.some(e => e.id === id),
  );
  if (missing !== undefined)
    refuse(it, 'header', 'its metadata lacks the size of the disk, of its blocks or of its sectors');
  const {total} = yield* end();
  if (total < region.offset + region.length) truncated();
}

/** The newer of the valid headers counts. A log that is not empty holds writes that the file does not have yet. */
function judgeHeaders(it: Detection, headers: Buffer[]) {
  const valid = headers.filter(
    header =>
      header.length === headerLength &&
      header.toString('latin1', 0, 4) === 'head' &&
      header.readUInt32LE(4) === crc32c(header, 4),
  );
  const [current] = valid.sort((a, b) => Number(b.readBigUInt64LE(8) - a.readBigUInt64LE(8)));
  if (current === undefined) return refuse(it, 'corrupt', 'neither of its two headers is valid');
  if (current.readUInt16LE(66) !== 1) refuse(it, 'version', `its version is ${current.readUInt16LE(66)}; 1 is known`);
  if (current.subarray(48, 64).some(byte => byte !== 0))
    refuse(it, 'log', 'its log has writes that are not applied yet; open and close it with the program that made it');
}

function judgeRegions(it: Detection, table: Buffer): Entry | undefined {
  if (table.toString('latin1', 0, 4) !== 'regi') {
    refuse(it, 'header', 'its table of regions is missing');
    return undefined;
  }
  if (table.readUInt32LE(4) !== crc32c(table, 4))
    refuse(it, 'corrupt', 'the checksum of its table of regions is wrong');
  const count = table.readUInt32LE(8);
  const list =
    count > maxEntries
      ? []
      : entries(table, 16, count, at => ({
          offset: Number(table.readBigUInt64LE(at + 16)),
          length: table.readUInt32LE(at + 24),
          required: (table.readUInt32LE(at + 28) & 1) !== 0,
        }));
  if (list.some(({id, required}) => required && !Object.values(regions).includes(id)))
    refuse(it, 'features', 'it needs a region that is not known');
  if (!list.some(({id}) => id === regions.bat)) refuse(it, 'header', 'its table of regions names no block table');
  const [metadata, second] = list.filter(({id}) => id === regions.metadata);
  if (metadata === undefined || second !== undefined) {
    refuse(it, 'header', 'its table of regions names no metadata, or several');
    return undefined;
  }
  if (metadata.offset < MiB || metadata.offset % MiB !== 0 || metadata.length < MiB) {
    refuse(it, 'layout', 'its metadata is where no writer puts it');
    return undefined;
  }
  return metadata;
}

/** The items that are worth reading; others are refused when reading the disk needs them. */
function judgeMetadata(it: Detection, metadata: Buffer, region: Entry): Entry[] {
  const count = metadata.readUInt16LE(10);
  if (metadata.toString('latin1', 0, 8) !== 'metadata' || count > maxEntries) {
    refuse(it, 'header', 'its metadata is missing');
    return [];
  }
  const list = entries(metadata, 32, count, at => ({
    offset: metadata.readUInt32LE(at + 16),
    length: metadata.readUInt32LE(at + 20),
    required: (metadata.readUInt32LE(at + 24) & 4) !== 0,
  }));
  if (list.some(({id, required}) => required && !Object.values(items).includes(id)))
    refuse(it, 'features', 'it needs metadata that is not known');
  if (list.some(({id}) => id === items.parentLocator))
    refuse(it, 'backing-file', 'it is a differencing disk: it would read another file');
  const wanted = list.filter(({id}) => [items.fileParameters, items.virtualSize, items.logicalSector].includes(id));
  if (new Set(wanted.map(({id}) => id)).size !== wanted.length)
    refuse(it, 'header', 'its metadata says one thing twice');
  if (wanted.some(({offset, length}) => offset < tableLength || offset + length > region.length)) {
    refuse(it, 'layout', 'its metadata points outside itself');
    return [];
  }
  return wanted;
}

function judgeItem(it: Detection, id: string, value: Buffer) {
  if (value.length < (id === items.logicalSector ? 4 : 8))
    return refuse(it, 'truncated', 'the file ends inside its metadata');
  if (id === items.virtualSize) setVirtualSize(it, value.readBigUInt64LE(0));
  if (id === items.logicalSector && value.readUInt32LE(0) !== 512)
    refuse(it, 'features', 'its sectors are not of 512 bytes');
  if (id !== items.fileParameters) return;
  const block = value.readUInt32LE(0);
  it.features['blockSize'] = block;
  it.features['subformat'] = value.readUInt32LE(4) & 1 ? 'fixed' : 'dynamic';
  if (value.readUInt32LE(4) & 2) refuse(it, 'backing-file', 'it is a differencing disk: it would read another file');
  if (!isPowerOfTwo(block) || block < MiB || block > 256 * MiB) refuse(it, 'header', `its blocks have ${block} bytes`);
}

/** Entries of 32 bytes that begin with a GUID. */
function entries(table: Buffer, start: number, count: number, rest: (at: number) => Omit<Entry, 'id'>): Entry[] {
  return Array.from({length: count}, (_, n) => start + 32 * n)
    .filter(at => at + 32 <= table.length)
    .map(at => ({id: guid(table.subarray(at, at + 16)), ...rest(at)}));
}

/** As hex digits in the order people write them: the first three groups are little-endian in the file. */
function guid(bytes: Buffer): string {
  const groups = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)];
  return [...groups.map(group => Buffer.from(group).reverse()), bytes.subarray(8)].map(b => b.toString('hex')).join('');
}
