import type {NativePool} from './native.ts';

/** All keys of an omap object, page by page: one op answers 1024 at most (osd_max_omap_entries_per_request). */
export async function listOmap(pool: NativePool, object: string): Promise<Map<string, Buffer>> {
  const all = new Map<string, Buffer>();
  for (let after = ''; ; ) {
    const {entries, more} = await pool.omapList(object, {after, max: 1000});
    for (const [key, value] of entries) all.set(key, value);
    const last = [...entries.keys()].at(-1);
    if (!more || last === undefined) return all;
    after = last;
  }
}
