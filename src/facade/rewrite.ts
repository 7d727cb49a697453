import {formatLocation} from '../core/location.ts';
import type {Offer} from '../core/offer.ts';

/**
 * An image's record with the offered snapshot as its first location, and as an image that is raw. It is the text that is
 * changed, so that all the rest stays to the byte: reading and writing JSON would give other numbers, another order, other
 * escapes. `json` is a valid JSON object; any encoding in which ASCII is ASCII will do, latin1 too.
 */
export function rewriteRecord(json: string, offer: Offer): string {
  const spans = membersOf(json);
  const ours = `{"url": ${JSON.stringify(formatLocation(offer))}, "metadata": {}}`;
  const edits: Edit[] = [withLocation(json, spans, ours)];
  const format = spans.get('disk_format');
  if (format !== undefined && json.slice(format.start, format.end) !== '"raw"') edits.push({...format, text: '"raw"'});
  return apply(json, edits);
}

type Span = {start: number; end: number};
type Edit = Span & {text: string};

function withLocation(json: string, spans: Map<string, Span>, ours: string): Edit {
  const found = spans.get('locations');
  if (found === undefined) {
    const end = json.lastIndexOf('}');
    return {start: end, end, text: `${spans.size > 0 ? ', ' : ''}"locations": [${ours}]`};
  }
  const {start, end} = found;
  if (json[start] !== '[') return {start, end, text: `[${ours}]`};
  const isEmpty = json.slice(start + 1, end - 1).trim() === '';
  return {start: start + 1, end: start + 1, text: isEmpty ? ours : `${ours}, `};
}

/** From the end to the start, so that the places of the others stay right. */
const apply = (text: string, edits: Edit[]): string =>
  edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);

/** Where the values of the outermost object's members are. Of a name given twice the last counts, as for all who read JSON. */
function membersOf(json: string): Map<string, Span> {
  const spans = new Map<string, Span>();
  let at = skipSpace(json, json.indexOf('{') + 1);
  while (json[at] === '"') {
    const nameEnd = stringEnd(json, at);
    const start = skipSpace(json, skipSpace(json, nameEnd) + 1); // over the colon
    const end = valueEnd(json, start);
    spans.set(JSON.parse(json.slice(at, nameEnd)), {start, end});
    at = skipSpace(json, skipSpace(json, end) + 1); // over the comma
  }
  return spans;
}

function valueEnd(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; ) {
    const char = json[at] ?? '';
    if (char === '"') at = stringEnd(json, at);
    else if (depth === 0 && /[,}\]\s]/.test(char)) return at;
    else {
      if (char === '{' || char === '[') depth++;
      if (char === '}' || char === ']') depth--;
      at++;
    }
    if (depth === 0 && (char === '"' || char === '}' || char === ']')) return at;
  }
  return json.length;
}

function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function skipSpace(json: string, start: number): number {
  let at = start;
  while (/[ \t\r\n]/.test(json[at] ?? '')) at++;
  return at;
}
