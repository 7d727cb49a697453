/** Files that no tool makes for us: made by hand from the formats' own descriptions. */
import {crc32c} from '../../../src/core/format/crc32c.ts';

const sector = 512;

/** A master boot record with one partition, as it stands at the start of a raw disk. */
export function mbr(size: number, type = 0x83): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt8(0x80, 446);
  bytes.writeUInt8(type, 450);
  bytes.writeUInt32LE(type === 0xee ? 1 : 2048, 454);
  bytes.writeUInt32LE(Math.max(1, size / sector - 2048), 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

/** A GUID partition table: the protective MBR, and a header in the second sector. */
export function gpt(size: number): Buffer {
  const bytes = mbr(size, 0xee);
  bytes.writeUInt8(0, 446);
  bytes.write('EFI PART', sector, 'latin1');
  return bytes;
}

/** A raw disk and the footer of a fixed VHD behind it. */
export function fixedVhd(content: Buffer, {creator = 'win ', size = content.length, type = 2} = {}): Buffer {
  return Buffer.concat([content, vhdFooter({creator, size, type})]);
}

export function vhdFooter({
  creator = 'win ',
  size = 0,
  type = 2,
  cylinders = 65535,
  heads = 16,
  sectors = 255,
} = {}): Buffer {
  const footer = Buffer.alloc(sector);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x00010000, 12);
  footer.writeBigUInt64BE(type === 2 ? 0xffffffffffffffffn : 512n, 16);
  footer.write(creator, 28, 'latin1');
  footer.writeBigUInt64BE(BigInt(size), 40);
  footer.writeBigUInt64BE(BigInt(size), 48);
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectors, 59);
  footer.writeUInt32BE(type, 60);
  return withVhdChecksum(footer, 64);
}

/** Puts the right checksum back after a change. */
export function withVhdChecksum(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt32BE(0, at);
  bytes.writeUInt32BE(~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, at);
  return bytes;
}

/** Puts the right CRC-32C back into a VHDX header (4096 bytes) or region table (65536 bytes). */
export function withVhdxChecksum(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32c(bytes, 4), 4);
  return bytes;
}

/** A VMDK as a streaming writer makes it: header, descriptor, an empty body, and the directory's place in a footer. */
export function streamedVmdk({descriptor = streamDescriptor, change = (_footer: Buffer) => {}} = {}): Buffer {
  const header = Buffer.alloc(sector);
  header.write('KDMV', 0, 'latin1');
  header.writeUInt32LE(3, 4);
  header.writeUInt32LE(0x30001, 8);
  header.writeBigUInt64LE(8192n, 12);
  header.writeBigUInt64LE(128n, 20);
  header.writeBigUInt64LE(1n, 28);
  header.writeBigUInt64LE(20n, 36);
  header.writeUInt32LE(512, 44);
  header.writeBigUInt64LE(0xffffffffffffffffn, 56);
  header.writeBigUInt64LE(128n, 64);
  header.write('\n \r\n', 73, 'latin1');
  header.writeUInt16LE(1, 77);
  const text = Buffer.alloc(20 * sector);
  text.write(descriptor, 'latin1');
  // one empty grain table behind its marker, then the directory that names it, then the footer
  const body = Buffer.alloc(128 * sector - header.length - text.length);
  const table = marker(4n, 1);
  const directory = marker(1n, 2);
  const place = (body.length + header.length + text.length) / sector;
  const entries = Buffer.alloc(sector);
  entries.writeUInt32LE(place + 1, 0);
  const footer = Buffer.from(header);
  footer.writeBigUInt64LE(BigInt(place + 6), 56);
  change(footer);
  const end = Buffer.alloc(sector);
  return Buffer.concat([
    header,
    text,
    body,
    table,
    Buffer.alloc(4 * sector),
    directory,
    entries,
    marker(1n, 3),
    footer,
    end,
  ]);
}

export const streamDescriptor = `# Disk DescriptorFile
version=1
CID=7b5bf2ec
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY 8192 SPARSE "disk.vmdk"

# The Disk Data Base
ddb.adapterType = "lsilogic"
`;

function marker(sectors: bigint, type: number): Buffer {
  const bytes = Buffer.alloc(sector);
  bytes.writeBigUInt64LE(sectors, 0);
  bytes.writeUInt32LE(type, 12);
  return bytes;
}
