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

const footerLength = 512;
const headerLength = 1024;
const maxGeometry = 65535 * 16 * 255;
/** Writers whose size field is the disk's. The others' disks end with the last cylinder: so QEMU sees them, and so Virtual PC did. */
const sizeIsTrue = ['win ', 'qem2', 'd2v ', 'tap\0', 'CTXS', 'wa\0\0'];

/** Microsoft's VHD ("vpc" at QEMU). A dynamic one repeats its footer at the start; a fixed one is a raw disk with a footer. */
export function* vhd(found: Found): Inspection {
  const head = yield* read(0, footerLength);
  if (!isFooter(head)) {
    const {bytes, total} = yield* end(footerLength);
    if (isFooter(bytes) && checksumHolds(bytes, 64) && bytes.readUInt32BE(60) === 2)
      judgeFixed(found('vhd'), bytes, total);
    return;
  }
  const it = found('vhd');
  if (head.length < footerLength) return refuse(it, 'truncated', 'the file ends inside its header');
  judgeFooter(it, head);
  const kind = head.readUInt32BE(60);
  if (kind === 4) return refuse(it, 'backing-file', 'it is a differencing disk: it would read another file');
  if (kind !== 3) return refuse(it, 'subformat', `its type is ${kind}, where a dynamic disk has 3`);
  it.features['subformat'] = 'dynamic';

  const offset = head.readBigUInt64BE(16);
  if (offset < footerLength || offset % 512n !== 0n) return refuse(it, 'layout', 'its header is not at a sector');
  const header = yield* read(Number(offset), headerLength);
  if (header.length < headerLength) return refuse(it, 'truncated', 'the file ends inside its header');
  judgeDynamic(it, header);

  const {bytes, total} = yield* end(footerLength);
  const table = header.readBigUInt64BE(16);
  if (table + BigInt(header.readUInt32BE(28)) * 4n > total)
    refuse(it, 'truncated', 'its block table lies outside the file');
  // Virtual PC before 2004 wrote footers of 511 bytes
  if (!isFooter(bytes) && !isFooter(bytes.subarray(1)))
    refuse(it, 'truncated', 'its footer is missing: the file may be cut off');
}

const isFooter = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 8) === 'conectix';

function judgeFooter(it: Detection, footer: Buffer) {
  if (!checksumHolds(footer, 64)) refuse(it, 'corrupt', 'the checksum of its footer is wrong');
  const version = footer.readUInt32BE(12);
  if (version >>> 16 !== 1) refuse(it, 'version', `its version is ${version >>> 16}; 1 is known`);
  const geometry = footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59);
  const bySize = sizeIsTrue.includes(footer.toString('latin1', 28, 32)) || geometry === maxGeometry;
  it.features['sizeFrom'] = bySize ? 'size' : 'geometry';
  setVirtualSize(it, bySize ? (footer.readBigUInt64BE(48) / 512n) * 512n : BigInt(geometry) * 512n);
}

function judgeFixed(it: Detection, footer: Buffer, total: number): void {
  it.features['subformat'] = 'fixed';
  judgeFooter(it, footer);
  const room = total - footerLength;
  if (it.virtualSize !== undefined && it.virtualSize > room)
    refuse(it, 'truncated', `it holds ${room} bytes, its footer says ${it.virtualSize}`);
}

function judgeDynamic(it: Detection, header: Buffer) {
  if (header.toString('latin1', 0, 8) !== 'cxsparse') return refuse(it, 'header', 'its dynamic header is missing');
  if (!checksumHolds(header, 36)) refuse(it, 'corrupt', 'the checksum of its dynamic header is wrong');
  const block = header.readUInt32BE(32);
  const entries = header.readUInt32BE(28);
  it.features['blockSize'] = block;
  if (block < 512 || !isPowerOfTwo(block)) refuse(it, 'header', `its blocks have ${block} bytes`);
  if (block * entries < (it.virtualSize ?? 0)) refuse(it, 'layout', 'its block table is too short for its size');
  if (header.readBigUInt64BE(16) % 512n !== 0n) refuse(it, 'layout', 'its block table is not at a sector');
}

/** The one's complement of the sum of all bytes but the checksum's own. */
function checksumHolds(bytes: Buffer, at: number): boolean {
  if (bytes.length < at + 4) return false;
  let sum = 0;
  for (const [index, byte] of bytes.entries()) if (index < at || index >= at + 4) sum += byte;
  return bytes.readUInt32BE(at) === ~sum >>> 0;
}
