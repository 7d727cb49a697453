import {type Detection, end, type Found, type Inspection, maxRead, read, refuse, setVirtualSize} from './inspection.ts';
import {judgeDescriptor, looksLikeDescriptor} from './vmdk-descriptor.ts';

const sector = 512;
/** `gdOffset` of a header whose writer did not know it yet: the footer has it. */
const atEnd = 0xffffffffffffffffn;

/** VMware's virtual disk: the two kinds that are one file (VMware's "Virtual Disk Format 5.0"). */
export function* vmdk(found: Found): Inspection {
  const header = yield* read(0, sector);
  const magic = header.toString('latin1', 0, 4);
  if (magic === 'COWD') return refuse(found('vmdk'), 'subformat', 'it is a VMDK of ESX 2 (COWD)');
  if (magic !== 'KDMV') {
    if (!/^[#\sv]/i.test(magic)) return;
    const more = yield* read(header.length, 4096 - sector);
    if (looksLikeDescriptor(Buffer.concat([header, more]).toString('latin1')))
      refuse(
        found('vmdk'),
        'subformat',
        'it is a VMDK descriptor, which names other files; only one-file VMDKs are served',
      );
    return;
  }
  const it = found('vmdk');
  if (header.length < sector) return refuse(it, 'truncated', 'the file ends inside its header');
  const version = header.readUInt32LE(4);
  it.features['version'] = version;
  if (version < 1 || version > 3) return refuse(it, 'version', `its version is ${version}; 1 to 3 are known`);
  judgeHeader(it, header);

  const descriptorOffset = header.readBigUInt64LE(28);
  const descriptorLength = header.readBigUInt64LE(36) * BigInt(sector);
  if (descriptorOffset !== 1n) return refuse(it, 'descriptor', 'its descriptor is not at the second sector');
  if (descriptorLength === 0n || descriptorLength >= maxRead)
    return refuse(it, 'descriptor', `its descriptor of ${descriptorLength} bytes is none, or more than QEMU reads`);
  const descriptor = yield* read(sector, Number(descriptorLength));
  if (descriptor.length < descriptorLength) return refuse(it, 'truncated', 'the file ends inside its descriptor');
  judgeDescriptor(it, descriptor);

  const {total, bytes} = yield* end(3 * sector);
  const directory = header.readBigUInt64LE(56);
  if (directory === atEnd) judgeFooter(it, header, bytes, total);
  else if (directory === 0n || directory * BigInt(sector) >= BigInt(total))
    refuse(it, 'truncated', 'its grain directory lies outside the file');
}

function judgeHeader(it: Detection, header: Buffer): void {
  const capacity = header.readBigUInt64LE(12);
  const grain = header.readBigUInt64LE(20);
  const tableLength = header.readUInt32LE(44);
  const compression = header.readUInt16LE(77);
  // QEMU takes a header without a capacity for a mere envelope, and opens the files that the descriptor names
  setVirtualSize(it, capacity * BigInt(sector));
  if (grain === 0n || (grain & (grain - 1n)) !== 0n || grain > 0x200000n)
    refuse(it, 'header', `its grains have ${grain} sectors`);
  if (tableLength === 0 || tableLength > 512) refuse(it, 'header', `its grain tables have ${tableLength} entries`);
  if (compression > 1) refuse(it, 'features', `its compression ${compression} is not known`);
  it.features['compressed'] = compression === 1;
}

/**
 * The end of a streamed VMDK: a marker, the header once more with the place of the directory, the end-of-stream marker. QEMU
 * goes by this one, and reads the whole file again by it: so it may differ from the header in that place only.
 */
function judgeFooter(it: Detection, header: Buffer, tail: Buffer, total: number) {
  if (tail.length < 3 * sector || total < 4 * sector)
    return refuse(it, 'footer', 'it has no room for the footer it needs');
  const [marker, footer, last] = [0, 1, 2].map(n => tail.subarray(n * sector, (n + 1) * sector)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  it.features['footer'] = true;
  if (marker.readBigUInt64LE(0) !== 1n || marker.readUInt32LE(8) !== 0 || marker.readUInt32LE(12) !== 3)
    return refuse(it, 'footer', 'its footer is missing: the file may be cut off');
  if (!last.every(byte => byte === 0)) return refuse(it, 'footer', 'its end-of-stream marker is missing');
  const [before, after] = [header, footer].map(h => Buffer.concat([h.subarray(0, 48), h.subarray(77, 79)])) as [
    Buffer,
    Buffer,
  ];
  if (!before.equals(after)) refuse(it, 'footer', 'its footer contradicts its header');
  const directory = footer.readBigUInt64LE(56);
  if (directory === 0n || directory * BigInt(sector) >= BigInt(total))
    refuse(it, 'footer', 'its grain directory lies outside the file');
}
