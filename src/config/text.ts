/**
 * Text as Python sees it: what it strips, where its lines end, and how str() and repr() write a value. oslo.config shows all
 * of that: it strips with str.strip(), reads files with universal newlines, and interpolates with str(value).
 */

// JavaScript's \s lacks U+001C-1F and U+0085, and has U+FEFF: a byte order mark is no white space to Python.
const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const leading = new RegExp(`^[${space}]+`);
const trailing = new RegExp(`[${space}]+$`);

/** str.lstrip() */
export const stripStart = (text: string): string => text.replace(leading, '');

/** str.rstrip() */
export const stripEnd = (text: string): string => {
  // The anchored regular expression alone is quadratic on long inner runs of spaces; most lines do not end in white space.
  return text.length > 0 && trailing.test(text.slice(-1)) ? text.replace(trailing, '') : text;
};

/** str.strip() */
export const strip = (text: string): string => stripStart(stripEnd(text));

/** The lines of a file opened in text mode: CR, LF and CRLF all end one. */
export const lines = (text: string): string[] => text.split(/\r\n|\r|\n/);

/** Decimal digits of any script as ASCII, the way int() and float() read them. Each script's ten stand in a row, zero first. */
export function asciiDigits(text: string): string {
  return text.replace(/[^\P{Nd}0-9]/gu, digit => {
    const code = digit.codePointAt(0) ?? 0;
    let first = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
    return String((code - first) % 10);
  });
}

/** repr(float): the shortest digits, in scientific notation below 1e-4 and from 1e16 on. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '0', power = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const shown = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${shown}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

const escapes: Record<string, string> = {'\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t'};

/** repr(str): single quotes unless only those occur inside; what cannot be printed becomes an escape. */
export function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const shown = text.replace(/[\\'"]|[^\P{C}]|[^\P{Z} ]/gu, char => {
    if (char === quote) return `\\${char}`;
    if (char === "'" || char === '"') return char;
    return escapes[char] ?? codeEscape(char.codePointAt(0) ?? 0);
  });
  return `${quote}${shown}${quote}`;
}

function codeEscape(code: number): string {
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}
