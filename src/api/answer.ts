/** Writing answers: JSON in one piece, or lines as they come. Every one says which version speaks and which request it is for. */
import type {ServerResponse} from 'node:http';
import type {CellarError} from '../core/errors.ts';
import type {Progress} from '../core/request.ts';
import {errorBody, Refusal, statusOf} from './problem.ts';
import {headers, mediaTypes} from './wire.ts';

/** One request's way out. After `end` or `fail` nothing more is written; a caller that is gone is no error. */
export interface Answer {
  /**
   * For an answer in lines. With the first of them the status is 200 whatever comes after; an error before it is answered
   * like any other, with its own status.
   */
  stream(): {progress(progress: Progress): void; result(answer: object): void};
  json(body: object): void;
  text(type: string, text: string): void;
  fail(error: CellarError): void;
}

export type AnswerOptions = {
  version: string;
  requestId: string;
  /** At most one progress line in so many ms: a fill reports far more often than anybody reads. */
  progressInterval: number;
  /** Struck out of errors; may still grow while the request is read. */
  secrets: readonly string[];
  /** Whether the connection ends with this answer. */
  close: () => boolean;
};

export function answerOn(response: ServerResponse, options: AnswerOptions): Answer {
  const {version, requestId, secrets, close} = options;
  const head = (status: number, type: string, more: Record<string, string> = {}) => {
    response.writeHead(status, {
      'Content-Type': type,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      [headers.version]: version,
      [headers.requestId]: requestId,
      ...(close() && {Connection: 'close'}),
      ...more,
    });
  };
  const send = (status: number, body: object, more?: Record<string, string>) => {
    const text = `${JSON.stringify(body)}\n`;
    head(status, mediaTypes.json, {'Content-Length': String(Buffer.byteLength(text)), ...more});
    response.end(text);
  };

  return {
    json: body => send(200, body),
    text: (type, text) => {
      head(200, type, {'Content-Length': String(Buffer.byteLength(text))});
      response.end(text);
    },
    stream: () => {
      const write = throttle(response, options.progressInterval);
      const begin = () => {
        if (!response.headersSent) head(200, mediaTypes.ndjson);
      };
      return {
        progress: progress => {
          begin();
          write({progress}, progress.received === progress.size);
        },
        result: result => {
          begin();
          response.end(line({result}));
        },
      };
    },
    fail: error => {
      const body = errorBody(error, requestId, secrets);
      if (response.headersSent) response.end(line({error: body.error}));
      else send(statusOf(error), body, error instanceof Refusal ? error.headers : {});
    },
  };
}

const line = (value: object) => `${JSON.stringify(value)}\n`;

/** Drops lines that come too fast, unless they are `important`, and any that the reader is too slow for. */
function throttle(response: ServerResponse, interval: number): (value: object, important: boolean) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (value, important) => {
    const now = performance.now();
    if (response.writableEnded || response.writableNeedDrain) return;
    if (!important && now - last < interval) return;
    last = now;
    response.write(line(value));
  };
}
