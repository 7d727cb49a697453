/** Test images, and whether a disk's bytes are an image's. */
import {spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {open} from 'node:fs/promises';
import {cleanEnv} from '../lab/run.ts';

const mib = 1024 * 1024;

/** Writes an image of `size` bytes: random data in its first part and in its last MiB, holes between. Resolves the bytes of data. */
export async function writeImage(path: string, size: number, data: number): Promise<number> {
  const file = await open(path, 'w');
  try {
    const block = randomBytes(mib);
    for (let at = 0; at < data - mib; at += mib) {
      block.writeUInt32LE(at / mib, 0); // no two blocks are the same
      await file.write(block, 0, Math.min(mib, data - mib - at), at);
    }
    const tail = Math.min(mib, size);
    await file.write(randomBytes(tail), 0, tail, size - tail);
    await file.truncate(size);
  } finally {
    await file.close();
  }
  return data;
}

export type Comparison = {identical: boolean; size: number; why?: string};

/**
 * Reads the whole disk by `rbd export` and compares it with the file, byte for byte. Beyond the file's end a larger disk must
 * hold nothing but zeros.
 */
export async function compareDisk(conf: string, disk: string, path: string): Promise<Comparison> {
  const child = spawn('rbd', ['-c', conf, 'export', '--no-progress', disk, '-'], {
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const file = await open(path);
  let size = 0;
  let why: string | undefined;
  let stderr = '';
  child.stderr.on('data', chunk => {
    stderr += chunk;
  });
  const exited = new Promise<number | null>(resolve => child.on('close', resolve));
  try {
    const {size: length} = await file.stat();
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      const expected = Buffer.alloc(chunk.length);
      if (size < length) await readFully(file, expected, size);
      if (why === undefined && !expected.equals(chunk))
        why = `differs at byte ${size + firstDifference(expected, chunk)}`;
      size += chunk.length;
    }
    if (size < length) why ??= `has ${size} bytes, the image ${length}`;
  } finally {
    await file.close();
  }
  if ((await exited) !== 0) throw new Error(`rbd export ${disk} failed: ${stderr}`);
  return {identical: why === undefined, size, ...(why !== undefined && {why})};
}

async function readFully(file: Awaited<ReturnType<typeof open>>, buffer: Buffer, position: number): Promise<void> {
  for (let at = 0; at < buffer.length; ) {
    const {bytesRead} = await file.read(buffer, at, buffer.length - at, position + at);
    if (bytesRead === 0) return;
    at += bytesRead;
  }
}

const firstDifference = (a: Buffer, b: Buffer): number => a.findIndex((byte, at) => byte !== b[at]);

/** For tests that hold a whole image in memory. */
export const sha512 = (data: Uint8Array): string => createHash('sha512').update(data).digest('hex');
