/** A share as text. Pure. */

/** `[#####.....]  52%`, so many characters between the brackets; more than all is all. */
export function bar(part: number, whole: number, width: number): string {
  const share = whole > 0 ? Math.min(Math.max(part / whole, 0), 1) : 1;
  const done = Math.floor(width * share);
  return `[${'#'.repeat(done)}${'.'.repeat(width - done)}] ${String(Math.floor(share * 100)).padStart(3)}%`;
}
