/**
 * A reader of HTTP/1.1 requests that allows nothing which two servers could understand in two ways: what it refuses must never be
 * sent on.
 */
export type Message = {method: string; path: string; headers: [string, string][]; body: string; whole: boolean};

/** All requests of one connection; the last one may have broken off. Throws for what is no HTTP, or more than one thing. */
export function readRequests(received: string): Message[] {
  const messages: Message[] = [];
  for (let rest = received; rest !== ''; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) throw new Error(`half a head: ${JSON.stringify(rest.slice(0, 200))}`);
    const {message, left} = readOne(rest.slice(0, end).split('\r\n'), rest.slice(end + 4));
    messages.push(message);
    if (!message.whole) break;
    rest = left;
  }
  return messages;
}

function readOne([first = '', ...lines]: string[], after: string): {message: Message; left: string} {
  const [, method = '', path = ''] =
    /^([A-Z-]+) ([!-~\x80-\xff]+) HTTP\/1\.1$/.exec(first) ?? refuse('the line', first);
  const headers = lines.map(line => {
    const [, name = '', value = ''] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? refuse('the header', line);
    return [name.toLowerCase(), value.trim()] as [string, string];
  });
  const all = (wanted: string) => headers.filter(([name]) => name === wanted).map(([, value]) => value);
  const [lengths, codings] = [all('content-length'), all('transfer-encoding')];
  if (lengths.length + codings.length > 1) refuse('two lengths', lines.join());
  if (all('host').length !== 1) refuse('the hosts', lines.join());
  const base = {method, path, headers};
  if (codings.length > 0) {
    if (codings[0]?.toLowerCase() !== 'chunked') refuse('the coding', codings.join());
    const {body, left, whole} = unchunk(after);
    return {message: {...base, body, whole}, left};
  }
  const [length = '0'] = lengths;
  if (!/^\d{1,15}$/.test(length)) refuse('the length', length);
  const body = after.slice(0, Number(length));
  return {message: {...base, body, whole: body.length === Number(length)}, left: after.slice(body.length)};
}

function unchunk(text: string): {body: string; left: string; whole: boolean} {
  let body = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return {body, left: '', whole: false};
    const line = text.slice(at, end);
    if (!/^[0-9a-f]{1,8}$/i.test(line)) refuse('the size of a chunk', line);
    const size = Number.parseInt(line, 16);
    const next = end + 2 + size + 2;
    if (text.length < next) return {body, left: '', whole: false};
    if (text.slice(next - 2, next) !== '\r\n') refuse('the end of a chunk', text.slice(next - 2, next));
    if (size === 0) return {body, left: text.slice(next), whole: true};
    body += text.slice(end + 2, next - 2);
    at = next;
  }
}

function refuse(what: string, text: string): never {
  throw new Error(`${what} of a request that was sent on: ${JSON.stringify(text.slice(0, 300))}`);
}
