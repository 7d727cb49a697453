/** Castagnoli's polynomial, reflected. */
const polynomial = 0x82f63b78;

const table = Uint32Array.from({length: 256}, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value >>> 0;
});

/** CRC-32C of the bytes, with the four at `hole` taken as zeros: where a structure keeps its own checksum. */
export function crc32c(bytes: Uint8Array, hole = -4): number {
  let crc = 0xffffffff;
  for (const [index, byte] of bytes.entries()) {
    const value = index >= hole && index < hole + 4 ? 0 : byte;
    crc = (crc >>> 8) ^ (table[(crc ^ value) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
