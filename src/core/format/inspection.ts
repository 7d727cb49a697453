/**
 * How one format looks at a file: a generator that asks for bytes in ascending order and reads like straight-line code,
 * while the stream decides when it goes on. It holds one buffer at a time, so what it keeps is bounded by what it asks.
 */
export type Want = {offset: number; length: number} | {last: number};

/** `bytes` may be fewer than asked: the file ended, or the offset lies before what was read already. `total`: how far the stream got. */
export type Got = {bytes: Buffer; total: number};

export type Inspection = Generator<Want, void, Got>;

/** No inspection may ask for more at once: the largest there is, a VMDK descriptor. */
export const maxRead = 1024 * 1024;

/** `length` bytes at `offset`, which lies at or after the end of the last read; fewer where the file ends. */
export function* read(offset: number, length: number): Generator<Want, Buffer, Got> {
  return (yield {offset, length}).bytes;
}

/** Waits for the end of the file: its length, and its last bytes (at most `tailLength`). */
export function* end(last = 0): Generator<Want, Got, Got> {
  return yield {last};
}

/** What a format is called by its signature. `mbr` and `gpt` are partition tables of a raw disk. */
export type Signature =
  | 'qcow2'
  | 'vmdk'
  | 'vdi'
  | 'vhd'
  | 'vhdx'
  | 'iso'
  | 'mbr'
  | 'gpt'
  | 'luks'
  | 'qed'
  | 'qcow'
  | 'parallels'
  | 'bochs'
  | 'cloop';

/** Why a file of this format is refused. `rule` is for programs and tests, `why` for the operator: it continues "this image is refused: ". */
export type Finding = {rule: Rule; why: string};

export type Rule =
  | 'backing-file' // reading it would read another file of the host
  | 'data-file'
  | 'encrypted'
  | 'features' // a bit or a part that we do not know, or that Nova and Glance refuse
  | 'version'
  | 'header' // a field that no writer writes
  | 'layout' // a table that lies outside the file or outside reason
  | 'truncated'
  | 'corrupt' // it says so itself, or a checksum does
  | 'subformat'
  | 'descriptor' // VMDK's text
  | 'footer' // VMDK's second header contradicts the first
  | 'log' // VHDX with changes not yet applied
  | 'virtual-size'
  | 'banned';

export type Detection = {
  format: Signature;
  /** Bytes of the disk in the file, by its header; undefined where the header does not say or was not readable. */
  virtualSize: number | undefined;
  /** Empty: nothing speaks against a file of this format. */
  findings: Finding[];
  features: Record<string, string | number | boolean>;
};

/** Notes the signature in the report. */
export type Found = (format: Signature) => Detection;

export function refuse(detection: Detection, rule: Rule, why: string): void {
  detection.findings.push({rule, why});
}

/** Notes a size from a header. A disk of no bytes, of half a sector or of more bytes than any cluster has is no disk. */
export function setVirtualSize(detection: Detection, bytes: bigint): void {
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    refuse(detection, 'virtual-size', `its header asks for a disk of ${bytes} bytes`);
  } else {
    detection.virtualSize = Number(bytes);
    if (bytes === 0n) refuse(detection, 'virtual-size', 'its header says that the disk has no bytes');
    else if (bytes % 512n !== 0n)
      refuse(detection, 'virtual-size', `its disk of ${bytes} bytes does not end at a sector`);
  }
}

export const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));
