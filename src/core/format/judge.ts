import type {Detection, Signature} from './inspection.ts';
import type {Report} from './inspector.ts';

/**
 * The disk formats that are served, by Glance's names. `alongside`: signatures that may be in such a file too. `driver`: what
 * QEMU calls the format; without one the bytes are kept as they are.
 */
const formats = {
  raw: {alongside: ['mbr', 'gpt'], driver: undefined},
  // a disc that boots from a USB stick as well has a partition table; Nova lets it pass as ISO
  iso: {alongside: ['mbr', 'gpt'], driver: undefined},
  qcow2: {alongside: [], driver: 'qcow2'},
  vmdk: {alongside: [], driver: 'vmdk'},
  vdi: {alongside: [], driver: 'vdi'},
  // a fixed VHD is a raw disk with a footer
  vhd: {alongside: ['mbr', 'gpt'], driver: 'vpc'},
  vhdx: {alongside: [], driver: 'vhdx'},
} as const satisfies Record<string, {alongside: readonly Signature[]; driver: string | undefined}>;

export type ServedFormat = keyof typeof formats;
export type ConvertedFormat = Exclude<ServedFormat, 'raw' | 'iso'>;

export const servedFormats = Object.keys(formats) as ServedFormat[];

/** How QEMU has to see the file: what is said to it, and what it must find by itself. */
export type QemuView = {
  driver: 'qcow2' | 'vmdk' | 'vdi' | 'vpc' | 'vhdx';
  /** Further options of the driver. */
  options: Record<string, string>;
  /** What it finds when it is not told: a fixed VHD looks raw from its start. */
  probed: string;
};

/** `virtualSize`: bytes of the disk. `as-is`: the file's bytes are the disk's. `why`: one line for the operator either way. */
export type Verdict =
  | {ok: true; format: 'raw' | 'iso'; virtualSize: number; store: 'as-is'; why: string}
  | {ok: true; format: ConvertedFormat; virtualSize: number; store: 'convert'; qemu: QemuView; why: string}
  | {ok: false; why: string};

/** `virtualSize` is undefined where the head of the file does not tell it: for raw and ISO it is the file's length, for a fixed VHD a little less. */
export type Early =
  | {kind: 'need-more'}
  | {kind: 'continue'; virtualSize: number | undefined}
  | {kind: 'refuse'; why: string};

/** May this file become a disk, declared as it is? Pure: the same report, the same verdict. */
export function judgeFormat(declared: string, {totalBytes, detections}: Report): Verdict {
  const refusal = whyNotServed(declared) ?? whyOther(declared as ServedFormat, detections);
  if (refusal !== undefined) return {ok: false, why: refusal};
  if (totalBytes === 0) return {ok: false, why: 'it has no data'};
  const format = declared as ServedFormat;
  const it = detections.find(detection => detection.format === format);
  if (format === 'raw') return {ok: true, format, virtualSize: totalBytes, store: 'as-is', why: nameRaw(detections)};
  if (it === undefined) return {ok: false, why: notIt(format, detections)};
  const findings = whyUnsafe(it);
  if (findings !== undefined) return {ok: false, why: findings};
  if (format === 'iso') return {ok: true, format, virtualSize: totalBytes, store: 'as-is', why: 'it is an ISO image'};
  if (it.virtualSize === undefined) return {ok: false, why: 'its header does not tell the size of its disk'};
  const why = `it is ${describe(it)}`;
  return {ok: true, format, virtualSize: it.virtualSize, store: 'convert', qemu: qemuView(format, it), why};
}

/** The same by the head of the file alone. `settled`: no inspection waits for more of the head. */
export function judgeHead(declared: string, detections: Detection[], settled: boolean): Early {
  const format = declared as ServedFormat;
  const it = detections.find(detection => detection.format === format);
  const why = whyNotServed(declared) ?? whyOther(format, detections) ?? (it === undefined ? undefined : whyUnsafe(it));
  if (why !== undefined) return {kind: 'refuse', why};
  if (!settled) return {kind: 'need-more'};
  // a fixed VHD shows itself at its end
  if (it === undefined && format !== 'raw' && format !== 'vhd') return {kind: 'refuse', why: notIt(format, detections)};
  return {kind: 'continue', virtualSize: it?.virtualSize};
}

const whyNotServed = (declared: string): string | undefined =>
  Object.hasOwn(formats, declared)
    ? undefined
    : `its disk_format is ${declared}; served are ${servedFormats.join(', ')}`;

/** A file that is something else, or something else as well. */
function whyOther(declared: ServedFormat, detections: Detection[]): string | undefined {
  const alongside: readonly string[] = formats[declared].alongside;
  const others = detections.filter(({format}) => format !== declared && !alongside.includes(format));
  if (others.length === 0) return undefined;
  const names = others.map(({format}) => format).join(' and ');
  return detections.some(({format}) => format === declared)
    ? `its disk_format is ${declared}, but it is ${names} as well: a file of two formats is refused`
    : `its disk_format is ${declared}, but it is ${names}`;
}

const whyUnsafe = ({findings}: Detection): string | undefined =>
  findings.length === 0 ? undefined : findings.map(({why}) => why).join('; ');

const notIt = (declared: string, detections: Detection[]): string =>
  `its disk_format is ${declared}, but it is ${detections.map(({format}) => format).join(' and ') || 'not: it has no such signature'}`;

const nameRaw = (detections: Detection[]): string =>
  detections[0] === undefined
    ? 'nothing in it says that it is not raw'
    : `it is a raw disk with a partition table (${detections[0].format})`;

function qemuView(format: ConvertedFormat, {features}: Detection): QemuView {
  const {driver} = formats[format];
  if (format !== 'vhd') return {driver, options: {}, probed: driver};
  // said, because QEMU's list of writers whose size field counts differs between its versions
  const options = {force_size_calc: features['sizeFrom'] === 'size' ? 'current_size' : 'chs'};
  return {driver, options, probed: features['subformat'] === 'fixed' ? 'raw' : driver};
}

function describe({format, features}: Detection): string {
  const {version, subformat} = features;
  return [subformat, format, version === undefined ? undefined : `version ${version}`].filter(Boolean).join(' ');
}
