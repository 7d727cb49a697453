/** What Glance was asked, by its own account: the request lines of its log. */
import {randomBytes} from 'node:crypto';
import {closeSync, fstatSync, openSync, readSync, statSync} from 'node:fs';
import {waitFor} from './run.ts';

export type GlanceRequest = {
  method: string;
  /** With its query. */
  path: string;
  status: number;
  /** Bytes sent, the response's head (some 400 bytes) and chunk marks included. */
  bytes: number;
};

/** eventlet's line, written when the response has ended: `127.0.0.1 - - [time] "GET /v2/images HTTP/1.1" 200 1211 0.0018` */
const requestLine = /eventlet\.wsgi\.server .* "([A-Z]+) (\S+) HTTP\/1\.\d" (\d{3}) (\d+) [\d.]+$/;

/** Now, as a place in the log: for `glanceRequests(since)`. */
export const logPosition = (log: string): number => statSync(log).size;

export function parseRequests(text: string): GlanceRequest[] {
  return text.split('\n').flatMap(line => {
    const [, method = '', path = '', status, bytes] = requestLine.exec(line) ?? [];
    return method === '' ? [] : [{method, path, status: Number(status), bytes: Number(bytes)}];
  });
}

/**
 * Every request that ended since. The line of a response that we have just read to its end may not be written yet, so
 * we ask for something of our own and wait until that is in the log.
 */
export async function glanceRequests(url: string, log: string, since = 0): Promise<GlanceRequest[]> {
  const fence = `/?fence=${randomBytes(8).toString('hex')}`;
  const response = await fetch(`${url}${fence}`, {signal: AbortSignal.timeout(30_000)});
  await response.arrayBuffer();
  const find = async () => {
    const requests = parseRequests(readFrom(log, since));
    const end = requests.findIndex(request => request.path === fence);
    if (end < 0) throw new Error(`${log} has no line for our own request`);
    return requests.slice(0, end).filter(request => !request.path.startsWith('/?fence='));
  };
  return await waitFor("Glance's log", find, {timeoutMs: 10_000});
}

function readFrom(file: string, position: number): string {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(fd).size - position));
    const length = readSync(fd, buffer, 0, buffer.length, position);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}
