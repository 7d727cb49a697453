/** The documents as they are read: files, headings, blocks of code. */
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export type Page = {
  /** From the root of the repository. */
  path: string;
  text: string;
};

/** A block: `lang` is what its fence says, or `indented`. */
export type Block = {page: string; line: number; lang: string; text: string};

/** Every Markdown file that is ours: those at the root and those in docs/. */
export const pages: Page[] = [
  ...readdirSync(root).filter(name => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), {recursive: true, encoding: 'utf8'})
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
].map(path => ({path, text: readFileSync(join(root, path), 'utf8')}));

/** The page, which must be there. */
export function page(path: string): Page {
  const found = pages.find(one => one.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found;
}

/** The text with its code left out: what looks like a link there is none. */
export const prose = ({text}: Page): string =>
  text.replace(/^( *)(```+)[^\n]*\n[\s\S]*?^\1\2 *$/gm, '').replace(/`[^`\n]*`/g, '');

/** The anchors that GitHub makes of a page's headings. */
export function anchors({text}: Page): Set<string> {
  const seen = new Map<string, number>();
  const found = new Set<string>();
  const plain = text.replace(/^( *)(```+)[^\n]*\n[\s\S]*?^\1\2 *$/gm, '');
  for (const [, heading = ''] of plain.matchAll(/^#{1,6} +(.*?) *#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

/** Fenced blocks, and those that are indented by four after an empty line. */
export function blocks({path, text}: Page): Block[] {
  const found: Block[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', fence, lang = ''] = /^( *)(```+)(\S*)/.exec(lines[at] ?? '') ?? [];
    if (fence !== undefined) {
      const end = lines.findIndex((line, index) => index > at && line.trimEnd() === indent + fence);
      const body = lines.slice(at + 1, end).map(line => line.slice(indent.length));
      found.push({page: path, line: at + 2, lang, text: body.join('\n')});
      at = end;
    } else if (/^ {4}\S/.test(lines[at] ?? '') && lines[at - 1] === '') {
      let end = at;
      while (/^( {4}|$)/.test(lines[end] ?? 'x')) end++;
      const body = lines.slice(at, end).map(line => line.slice(4));
      found.push({page: path, line: at + 1, lang: 'indented', text: body.join('\n').trimEnd()});
      at = end - 1;
    }
  }
  return found;
}

export const allBlocks = pages.flatMap(blocks);

/** Commands of a shell block, one each: continued lines joined, comments gone. */
export const commands = ({text}: Block): string[] =>
  text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(line => line !== '');

/** What a shell makes of the line: its words. */
export const words = (line: string): string[] =>
  execFileSync('sh', ['-c', `set -f; printf '%s\\0' ${line}`], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']})
    .split('\0')
    .slice(0, -1);
