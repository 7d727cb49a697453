import {lines, strip, stripEnd, stripStart} from './text.ts';

/** `key = value` as it stands in a file: the section's name as written, continuation lines joined with newlines. */
export type Assignment = {section: string; key: string; value: string; line: number};

/** A line that breaks the grammar. `after` is the key of the assignment before it, to judge whether the text may be a secret's. */
export type IniProblem = {line: number; text: string; what: string; hint: string; after: string | undefined};

export type Ini = {assignments: Assignment[]; problems: IniProblem[]};

/**
 * Reads a text by oslo.config's grammar. One thing differs: it goes on after a problem, so that all of them can be told at
 * once. A text with problems must not be used.
 *
 * - A section is `[name]` in column 0 with nothing after the bracket, not even a comment.
 * - A comment is a line with `#` or `;` in column 0; there are no inline comments. It ends the value above it.
 * - An indented line continues the value above it, `  # even this`; after a blank line or a comment there is none to continue.
 * - The key ends at the first `=` or `:`. One pair of equal quotes round the first line's value goes; nothing is escaped.
 */
export function parseIni(text: string): Ini {
  const assignments: Assignment[] = [];
  const problems: IniProblem[] = [];
  let section: string | undefined;
  let sectionLost = false;
  let open: {key: string; values: string[]; line: number; text: string} | undefined;
  let after: string | undefined;

  const refuse = (line: number, text: string, [what, hint]: Complaint) => {
    problems.push({line, text, what, hint, after});
  };
  const close = () => {
    if (open === undefined) return;
    const {key, values, line, text} = open;
    open = undefined;
    if (section !== undefined) assignments.push({section, key, value: values.join('\n'), line});
    else if (!sectionLost) refuse(line, text, complaints.noSection);
  };

  lines(text).forEach((whole, index) => {
    const line = index + 1;
    const text = stripEnd(whole);
    if (text !== '' && /^[ \t]/.test(text)) {
      if (open === undefined) refuse(line, text, complaints.continuation);
      else open.values.push(stripStart(text));
      return;
    }
    close();
    if (text === '' || /^[#;]/.test(text)) return;
    if (text.startsWith('[')) {
      const name = sectionName(text);
      sectionLost = name === undefined;
      section = name;
      if (sectionLost) refuse(line, text, text === '[]' ? complaints.emptySection : complaints.bracket);
      return;
    }
    const pair = keyAndValue(text);
    if (pair === undefined) refuse(line, text, complaints.separator(text));
    else if (pair.key === '') refuse(line, text, complaints.emptyKey);
    else {
      open = {key: pair.key, values: [pair.value], line, text};
      after = pair.key;
    }
  });
  close();
  return {assignments, problems};
}

function sectionName(text: string): string | undefined {
  return text.endsWith(']') && text.length > 2 ? text.slice(1, -1) : undefined;
}

function keyAndValue(text: string): {key: string; value: string} | undefined {
  const at = text.search(/[:=]/);
  if (at < 0) return undefined;
  return {key: strip(text.slice(0, at)), value: unquote(strip(text.slice(at + 1)))};
}

function unquote(value: string): string {
  // A lone quote is its own pair: it becomes the empty text.
  return /^["']/.test(value) && value.at(0) === value.at(-1) ? value.slice(1, -1) : value;
}

type Complaint = [what: string, hint: string];

const complaints = {
  noSection: ['a value stands before any section', 'put a line like [DEFAULT] above it'],
  continuation: [
    'an indented line continues nothing',
    'indent only the further lines of a value, with no blank line or comment between',
  ],
  bracket: ['a section does not end with ]', 'write [name] alone on its line; a comment goes on a line of its own'],
  emptySection: ['a section has no name', 'write [name]'],
  emptyKey: ['a value has no name', 'write name = value'],
  separator: (text: string): Complaint => [
    'a line has neither = nor :',
    text.startsWith('\ufeff')
      ? 'the file begins with a byte order mark, which oslo.config does not accept: save it as UTF-8 without one'
      : 'write name = value, or # before a comment',
  ],
} as const satisfies Record<string, Complaint | ((text: string) => Complaint)>;
