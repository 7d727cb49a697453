/** What is shown in place of a secret. */
export const mask = '***';

const secretive = /pass|secret|token|credential|key|transport_url|connection|auth/i;

/** For names outside the option table, of which we cannot know: does this one sound like a secret's? */
export const soundsSecret = (name: string): boolean => secretive.test(name);

/** A text with the user and password of any URL in it masked. */
export function maskUrls(text: string): string {
  // Up to the last @: an unquoted @ or / in a password must not let its tail out.
  return text.replace(/(:\/\/)(\S*)@/g, (_whole, slashes: string, credentials: string) => {
    const several = /^[^:@/,]*:[^:@/,]*(?:@[^@/,]+,[^:@/,]*:[^:@/,]*)*$/;
    const shown = several.test(credentials)
      ? credentials.replace(/(^|,)([^:@,]*):[^:@/,]*(?=@|$)/g, `$1$2:${mask}`)
      : mask;
    return `${slashes}${shown}@`;
  });
}

/** A secret for people: three stars, or a URL that keeps its hosts. */
export function maskSecret(text: string): string {
  if (text === '') return '';
  if (!/^[a-z+]+:\/\//.test(text) || /\s/.test(text)) return mask;
  const [url = '', query] = maskUrls(text).split('?', 2);
  return query === undefined ? url : `${url}?${mask}`;
}

/** A line of a file for an error message, or nothing where it may hold a secret; `after` is the key of the value before it. */
export function quoteLine(text: string, after: string | undefined): string {
  if (soundsSecret(text) || (after !== undefined && soundsSecret(after))) return '';
  const shown = maskUrls(text);
  return `: ${JSON.stringify(shown.length > 80 ? `${shown.slice(0, 79)}…` : shown)}`;
}
