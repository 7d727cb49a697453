import type {SnapshotSpec} from './ports.ts';

/** An rbd location whose four parts are there: a snapshot in the cluster `fsid`. Whether it can be cloned is another question. */
export type RbdLocation = SnapshotSpec & {fsid: string};

export type ParsedLocation = {ok: true; location: RbdLocation} | {ok: false; why: string};

const scheme = 'rbd://';

/**
 * Reads a Glance location url by Nova's rules (nova/storage/rbd_utils.py, `RBDDriver.parse_url`): lower-case `rbd://`, then
 * four parts split by '/' and percent-decoded after the split, none of them empty. A "no" is a value with its reason.
 */
export function parseLocation(url: string): ParsedLocation {
  if (!url.startsWith(scheme)) return {ok: false, why: 'not stored in rbd'};
  const parts = url.slice(scheme.length).split('/').map(unquote);
  if (parts.includes('')) return {ok: false, why: 'blank components'};
  if (parts.some(part => part.includes('\0'))) return {ok: false, why: 'a NUL in a component'};
  const [fsid, pool, image, snapshot] = parts;
  if (parts.length !== 4 || !fsid || !pool || !image || !snapshot) return {ok: false, why: 'not an rbd snapshot'};
  return {ok: true, location: {fsid, pool, image, snapshot}};
}

/** The url of a snapshot, each part quoted as glance_store quotes it: `urllib.parse.quote(part, '')`. */
export function formatLocation({fsid, pool, image, snapshot}: RbdLocation): string {
  return scheme + [fsid, pool, image, snapshot].map(quote).join('/');
}

/** `pool/image@snapshot`, as the rbd command writes it. */
export const formatSnapshot = ({pool, image, snapshot}: SnapshotSpec): string => `${pool}/${image}@${snapshot}`;

export const sameSnapshot = (a: SnapshotSpec, b: SnapshotSpec): boolean =>
  a.pool === b.pool && a.image === b.image && a.snapshot === b.snapshot;

/** Python's `unquote`: a '%' without two hex digits stays, '+' stays, bytes that are no UTF-8 become U+FFFD. */
function unquote(text: string): string {
  if (!text.includes('%')) return text;
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

/** encodeURIComponent leaves !'()* alone, Python's `quote` does not. */
const quote = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
