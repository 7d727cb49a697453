import {end, type Found, type Inspection, read, refuse, setVirtualSize} from './inspection.ts';

const blockSize = 1024 * 1024;
const headerLength = 512;
const kinds = new Map([
  [1, 'dynamic'],
  [2, 'static'],
]);

/** VirtualBox's disk. QEMU reads blocks that lie behind the end of the file as zeros, so the end is checked here. */
export function* vdi(found: Found): Inspection {
  const header = yield* read(0, headerLength);
  if (header.length < 0x44 || header.readUInt32LE(0x40) !== 0xbeda107f) return;
  const it = found('vdi');
  if (header.length < headerLength) return refuse(it, 'truncated', 'the file ends inside its header');
  const version = header.readUInt32LE(0x44);
  if (version !== 0x00010001)
    return refuse(it, 'version', `its version is ${version >>> 16}.${version & 0xffff}; 1.1 is known`);
  const kind = kinds.get(header.readUInt32LE(0x4c));
  if (kind === undefined) refuse(it, 'subformat', 'it is a snapshot or a difference, or of an unknown kind');
  else it.features['subformat'] = kind;
  if (header.subarray(0x1a8, 0x1c8).some(byte => byte !== 0))
    refuse(it, 'backing-file', 'it is a snapshot of another disk, or its parent');
  const size = header.readBigUInt64LE(0x170);
  setVirtualSize(it, ((size + 511n) / 512n) * 512n); // VirtualBox made some that do not end at a sector; QEMU rounds up too

  const blocks = header.readUInt32LE(0x180);
  const allocated = header.readUInt32LE(0x184);
  const map = BigInt(header.readUInt32LE(0x154));
  const data = BigInt(header.readUInt32LE(0x158));
  if (header.readUInt32LE(0x168) !== 512) refuse(it, 'header', 'its sectors are not of 512 bytes');
  if (header.readUInt32LE(0x178) !== blockSize) refuse(it, 'header', 'its blocks are not of 1 MiB');
  if (BigInt(blocks) * BigInt(blockSize) < size || allocated > blocks)
    refuse(it, 'header', `its ${blocks} blocks, ${allocated} of them in use, do not fit its size`);
  if (map < headerLength || map % 512n !== 0n || data % 512n !== 0n || data < map + BigInt(blocks) * 4n)
    refuse(it, 'layout', 'its block map and its data overlap, or lie between sectors');

  const {total} = yield* end();
  const whole = data + BigInt(allocated) * BigInt(blockSize);
  if (whole > total) refuse(it, 'truncated', `the file has ${total} bytes, its blocks end at ${whole}`);
}
