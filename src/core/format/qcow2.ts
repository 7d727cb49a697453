import {type Detection, end, type Found, type Inspection, read, refuse, setVirtualSize} from './inspection.ts';

/** Longest header extensions that are looked at; real ones end within a few hundred bytes. */
const extensionsLimit = 64 * 1024;
/** QEMU's own limits. */
const maxL1Entries = 4 * 1024 * 1024;
const maxRefcountBytes = 8 * 1024 * 1024;
const maxSnapshots = 65536;

const bits = {dirty: 1n, corrupt: 2n, dataFile: 4n, compression: 8n, extendedL2: 16n};
const known = bits.dirty | bits.corrupt | bits.dataFile | bits.compression;

/** QEMU's qcow2, versions 2 and 3 (docs/interop/qcow2.txt). Version 1 is another format, which nobody serves. */
export function* qcow2(found: Found): Inspection {
  const header = yield* read(0, 112);
  if (header.length < 4 || header.readUInt32BE(0) !== 0x514649fb) return;
  const version = header.length < 8 ? 0 : header.readUInt32BE(4);
  if (version === 1) {
    refuse(found('qcow'), 'banned', 'qcow version 1 is not served; convert it to qcow2');
    return;
  }
  const it = found('qcow2');
  if (header.length < 104) return refuse(it, 'truncated', 'the file ends inside its header');
  it.features['version'] = version;
  if (version !== 2 && version !== 3) return refuse(it, 'version', `its version is ${version}; 2 and 3 are known`);

  const clusterBits = header.readUInt32BE(20);
  if (header.readBigUInt64BE(8) !== 0n) refuse(it, 'backing-file', 'it has a backing file: it would read another file');
  if (header.readUInt32BE(32) !== 0) refuse(it, 'encrypted', 'it is encrypted');
  setVirtualSize(it, header.readBigUInt64BE(24));
  if (clusterBits < 9 || clusterBits > 21) {
    return refuse(it, 'header', `its clusters are 2^${clusterBits} bytes; 2^9 to 2^21 are possible`);
  }
  const cluster = 2 ** clusterBits;
  it.features['clusterSize'] = cluster;
  const headerLength = version === 2 ? 72 : judgeVersion3(it, header);
  if (headerLength === undefined) return;
  if (headerLength > cluster) return refuse(it, 'header', 'its header is longer than a cluster');

  yield* judgeExtensions(it, header, headerLength, Math.min(cluster, extensionsLimit));
  const {total} = yield* end();
  judgeLayout(it, header, cluster, BigInt(total));
}

/** The feature bits; the header's length, undefined when it makes no sense. */
function judgeVersion3(it: Detection, header: Buffer): number | undefined {
  const incompatible = header.readBigUInt64BE(72);
  const length = header.readUInt32BE(100);
  it.features['dirty'] = (incompatible & bits.dirty) !== 0n;
  if (incompatible & bits.dataFile)
    refuse(it, 'data-file', 'it keeps its data in an external file: it would read another file');
  if (incompatible & bits.extendedL2)
    refuse(it, 'features', 'it uses subclusters (extended L2 entries), which Nova and Glance refuse as well');
  if (incompatible & ~(known | bits.extendedL2))
    refuse(it, 'features', `it needs features that are not known: ${(incompatible & ~known).toString(2)}`);
  if (incompatible & bits.corrupt)
    refuse(it, 'corrupt', 'it is marked as corrupt; repair it with qemu-img check -r all');
  if (header.readUInt32BE(96) > 6) refuse(it, 'header', 'its reference counts are wider than 64 bits');
  if (length < 104 || length % 8 !== 0) {
    refuse(it, 'header', `its header says to be ${length} bytes long`);
    return undefined;
  }
  const zstd = length > 104 && header.length > 104 ? header.readUInt8(104) : 0;
  it.features['compression'] = zstd === 0 ? 'zlib' : zstd === 1 ? 'zstd' : 'unknown';
  if (zstd > 1) refuse(it, 'features', `its compression ${zstd} is not known`);
  if ((zstd !== 0) !== ((incompatible & bits.compression) !== 0n))
    refuse(it, 'header', 'its compression and its feature bits contradict each other');
  return length;
}

/** Walks the list of extensions between the header and the first cluster's end. */
function* judgeExtensions(it: Detection, header: Buffer, start: number, limit: number) {
  const rest = yield* read(header.length, limit - header.length);
  const area = Buffer.concat([header, rest]);
  if (it.features['version'] === 2 && area.length >= start + 8 && area.readUInt32BE(start) !== 0) {
    // Nova reads the feature bits of a version 2 header too, where its extensions are, and refuses what it finds
    refuse(it, 'features', 'its version 2 header has extensions, which Nova and Glance refuse as well');
  }
  for (let at = start; ; ) {
    if (area.length >= limit && at + 8 > limit) return; // a full cluster needs no end marker
    if (area.length < at + 8) return refuse(it, 'truncated', 'the file ends inside its header');
    const type = area.readUInt32BE(at);
    if (type === 0) return;
    if (type === 0x44415441) refuse(it, 'data-file', 'its header names an external data file');
    if (type === 0x0537be77) refuse(it, 'encrypted', 'its header has encryption keys');
    const length = area.readUInt32BE(at + 4);
    if (at + 8 + length > limit) return refuse(it, 'header', 'its header extensions are longer than their room');
    at += 8 + Math.ceil(length / 8) * 8;
  }
}

/** The tables that the header points at lie on clusters, inside the file, and are no larger than QEMU takes them. */
function judgeLayout(it: Detection, header: Buffer, cluster: number, total: bigint): void {
  const l1Size = header.readUInt32BE(36);
  const snapshots = header.readUInt32BE(60);
  const refcountBytes = BigInt(header.readUInt32BE(56)) * BigInt(cluster);
  const perEntry = BigInt(cluster) * BigInt(cluster / 8);
  it.features['snapshots'] = snapshots;
  if (l1Size > maxL1Entries || BigInt(l1Size) * perEntry < BigInt(it.virtualSize ?? 0)) {
    refuse(it, 'layout', `its L1 table of ${l1Size} entries does not fit its size`);
  }
  if (snapshots > maxSnapshots) refuse(it, 'layout', `it says to have ${snapshots} snapshots`);
  if (refcountBytes > maxRefcountBytes) refuse(it, 'layout', 'its table of reference counts is larger than 8 MiB');
  const tables: [string, bigint, bigint][] = [
    ['L1 table', header.readBigUInt64BE(40), BigInt(l1Size) * 8n],
    ['table of reference counts', header.readBigUInt64BE(48), refcountBytes],
    ['list of snapshots', header.readBigUInt64BE(64), BigInt(snapshots) * 40n],
  ];
  for (const [name, offset, length] of tables) {
    if (length === 0n) continue;
    if (offset === 0n || offset % BigInt(cluster) !== 0n) refuse(it, 'layout', `its ${name} is not at a cluster`);
    else if (name === 'table of reference counts' ? offset >= total : offset + length > total)
      refuse(it, 'truncated', `its ${name} lies outside the file`);
  }
}
