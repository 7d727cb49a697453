/** What a fill writes of an image: its data, cut at RADOS objects, in memory. */
import {open} from 'node:fs/promises';
import {dataExtents} from '../sparse.ts';

export type Block = {offset: number; data: Buffer};

const objectSize = 4 * 1024 * 1024;

/** Every extent of data in the file, by the product's own rule for zeros. */
export async function readBlocks(path: string): Promise<Block[]> {
  const file = await open(path);
  const blocks: Block[] = [];
  try {
    const {size} = await file.stat();
    for (let offset = 0; offset < size; offset += objectSize) {
      const object = Buffer.allocUnsafeSlow(Math.min(objectSize, size - offset));
      await file.read(object, 0, object.length, offset);
      for (const [start, end] of dataExtents(object))
        blocks.push({offset: offset + start, data: object.subarray(start, end)});
    }
  } finally {
    await file.close();
  }
  return blocks;
}
