/** The few requests of man(7) that our pages use. */

/** Text as roff takes it: nothing in it is a request or an escape, and a dash stays what is typed. */
export const plain = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('`', '\\(ga')
    .split('\n')
    .map(line => line.replace(/^[.']/, '\\&$&'))
    .join('\n');

/** Text with `code` in bold. */
export const prose = (text: string): string => {
  const parts = text.split('`').map((part, at) => (at % 2 === 1 ? `\\fB${plain(part)}\\fR` : plain(part)));
  return `${parts.join('').replace(/^[.']/, '\\&$&')}\n`;
};

export const bold = (text: string): string => `\\fB${plain(text)}\\fR`;
export const italic = (text: string): string => `\\fI${plain(text)}\\fR`;

export const section = (title: string, ...body: string[]): string => `.SH ${title}\n${body.join('')}`;
export const subsection = (title: string, ...body: string[]): string => `.SS "${plain(title)}"\n${body.join('')}`;
export const paragraph = (text: string): string => `.PP\n${prose(text)}`;

/** A tagged paragraph; the tag is roff already. */
export const tagged = (tag: string, text: string): string => `.TP\n${tag}\n${prose(text)}`;

/** Lines as they are: commands, files. */
export const literal = (text: string): string => `.PP\n.RS 4\n.nf\n${plain(text.replace(/\n$/, ''))}\n.fi\n.RE\n`;

export type Page = {name: string; section: number; title: string; version: string; date: string; body: string[]};

export const page = ({name, section: number, title, version, date, body}: Page): string =>
  `.\\" Made from the program itself: see packaging/man.
.TH ${plain(name).toUpperCase()} ${number} "${date}" "cellar ${version}" "cellar manual"
${section('NAME', `${plain(name)} \\- ${plain(title)}\n`)}${body.join('')}`;
