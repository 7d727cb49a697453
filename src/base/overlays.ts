import {constants, type FileHandle, open, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {isCode} from './file.ts';

const qcow = 0x514649fb;
/** QEMU's own limit of a backing file's name. */
const longestName = 1023;
/** What a guest prints, and the older parts of it: libvirt's, and readable for nobody else. */
const consoleLog = /^console\.log(\.\d+)?$/;

/**
 * The base files that local disks of instances are overlays of, each with one such disk: a host whose images_type was qcow2
 * keeps those instances when it becomes rbd, and without its base file such a disk is lost. Every file of every instance's
 * directory is looked at, whatever its name but for consoles' logs: a chain of overlays may have several. Fails when one cannot be read.
 */
export async function overlaid(instancesPath: string, apart: ReadonlySet<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const instance of await namesIn(instancesPath)) {
    if (apart.has(instance)) continue;
    for (const name of await namesIn(join(instancesPath, instance))) {
      if (consoleLog.test(name)) continue;
      const path = join(instancesPath, instance, name);
      for (const base of (await backingName(path)).match(/[0-9a-f]{40}/g) ?? []) found.set(base, path);
    }
  }
  return found;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** The text that a qcow2 file names its backing file by; empty when it has none, or is another kind of file. */
async function backingName(path: string): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENXIO', 'ELOOP')) return ''; // gone, a socket, a loop of links
    throw error;
  }
  try {
    if (!(await file.stat()).isFile()) return '';
    const header = await readAt(file, 0, 20);
    if (header.length < 20 || header.readUInt32BE(0) !== qcow) return '';
    const offset = header.readBigUInt64BE(8);
    if (offset === 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) return '';
    return (await readAt(file, Number(offset), Math.min(header.readUInt32BE(16), longestName))).toString('latin1');
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const {bytesRead, buffer} = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
