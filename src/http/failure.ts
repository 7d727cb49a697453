/**
 * Errors of the HTTP library as CellarErrors. The library's own errors carry the request's options, token included, and
 * would print them: none is kept, not even as a cause.
 */
import {CellarError} from '../core/errors.ts';

/** `config` for TLS that is not trusted, `timeout`, `cancelled` by the signal's owner, or `unavailable`. */
export function failure(error: unknown, signal: AbortSignal): CellarError {
  if (signal.aborted) return aborted(signal);
  if (error instanceof CellarError) return error;
  const plain = plainError(error);
  const {code = '', message} = plain;
  if (code === 'ETIMEDOUT') return new CellarError('timeout', message, {cause: plain});
  if (tlsCodes.test(code)) {
    // Node adds advice about its own command line, and the system's authorities are trusted here anyway.
    const [what = ''] = message.split('; if the root CA');
    return new CellarError('config', `TLS: ${what}`, {
      cause: plain,
      hint: 'see cafile, and that the URL is of https',
    });
  }
  return new CellarError('unavailable', message, {cause: plain});
}

/** Why the signal was aborted: its own CellarError, a deadline that passed, or else somebody cancelled. */
export function aborted(signal: AbortSignal): CellarError {
  const reason: unknown = signal.reason;
  if (reason instanceof CellarError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new CellarError('timeout', 'the deadline passed');
  return new CellarError('cancelled', 'cancelled');
}

/** The text with every secret in it blotted out, for what the other side wrote. To be done before it is cut: half a token is one too. */
export function scrub(text: string, secrets: (string | undefined)[]): string {
  return secrets.reduce<string>((clean, secret) => (secret ? clean.replaceAll(secret, '***') : clean), text);
}

/** A page, a JSON error, names of the other side's as one short line: so many characters at most. */
export function gist(text: string, most = 200): string {
  const line = text
    .replace(/<(title|style|script)\b.*?<\/\1>/gis, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** Scheme, host and path: no credentials, no query. */
export function showUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.origin}${parsed.pathname}` : '(not a URL)';
}

const tlsCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO|INVALID_CA)/;

type Plain = Error & {code?: string};

function plainError(error: unknown): Plain {
  if (!(error instanceof Error)) return new Error('failed');
  const code = (error as Plain).code;
  const plain: Plain = new Error(error.message || attempts(error) || code || error.name);
  // A stack would repeat the library's frames and say nothing.
  delete plain.stack;
  if (code !== undefined) plain.code = code;
  return plain;
}

/** A name with several addresses fails with one error for each, and an empty message. */
function attempts(error: Error): string {
  const list = error instanceof AggregateError ? error : error.cause;
  return list instanceof AggregateError ? list.errors.map((one: unknown) => (one as Error).message).join(', ') : '';
}
