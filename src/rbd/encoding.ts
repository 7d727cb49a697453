/** Ceph's encoding: integers little-endian, text behind its u32 length, structs behind version, compat and u32 length. */

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u64(value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Reads one value after the other. Throws a RangeError at the end of the bytes. */
export class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  u8(): number {
    this.#at += 1;
    return this.#buffer.readUInt8(this.#at - 1);
  }

  u32(): number {
    this.#at += 4;
    return this.#buffer.readUInt32LE(this.#at - 4);
  }

  u64(): number {
    this.#at += 8;
    return Number(this.#buffer.readBigUInt64LE(this.#at - 8));
  }

  i64(): number {
    this.#at += 8;
    return Number(this.#buffer.readBigInt64LE(this.#at - 8));
  }

  text(): string {
    const length = this.u32();
    this.#at += length;
    return this.#buffer.toString('utf8', this.#at - length, this.#at);
  }

  /** Where the struct that begins here ends: what a later version added is skipped by `skipTo`. */
  structEnd(): number {
    this.#at += 2;
    const length = this.u32();
    return this.#at + length;
  }

  skipTo(end: number): void {
    this.#at = end;
  }
}
