/** Man pages, completions and licences: made from the program, and whole. */
import {execFileSync, spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdirSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {bashCompletion} from '../../packaging/completion/bash.ts';
import {commandTable} from '../../packaging/completion/commands.ts';
import {zshCompletion} from '../../packaging/completion/zsh.ts';
import {manual} from '../../packaging/man/main.ts';
import type {Table} from '../../src/config/option.ts';
import {options} from '../../src/config/options.ts';
import {errorKinds} from '../../src/core/errors.ts';

const packaging = fileURLToPath(new URL('../../packaging/', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'cellar-texts-'));
const written = (name: string, text: string): string => {
  const path = join(scratch, name);
  mkdirSync(dirname(path), {recursive: true});
  writeFileSync(path, text);
  return path;
};
const pages = manual('2026-01-01');
const rendered = Object.fromEntries(
  Object.entries(pages).map(([name, text]) => {
    const args = ['--warnings', '--local-file', '--encoding=UTF-8', written(name, text)];
    const env = {...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '200', MANROFFOPT: '-rHY=0'};
    const {stdout, stderr, status} = spawnSync('man', args, {encoding: 'utf8', env});
    return [name, {text: stdout, stderr, status}];
  }),
);

test('the table has the commands that the help pages have', t => {
  const table = commandTable().map(({path}) => path.join(' '));
  for (const command of ['disk create', 'image prefetch', 'status', 'doctor', 'config sample'])
    t.true(table.includes(command), command);
  t.true(commandTable().length > 20);
});

test('roff has nothing to say against the man pages', t => {
  for (const [name, {stderr, status}] of Object.entries(rendered)) t.deepEqual([name, status, stderr], [name, 0, '']);
});

test('cellar(1) has every command with its options, and every exit code', t => {
  const text = rendered['cellar.1']?.text ?? '';
  for (const {path, children, options} of commandTable()) {
    if (children.length === 0) t.true(text.includes(['cellar', ...path].join(' ')), path.join(' '));
    for (const {flags} of options) for (const flag of flags) t.true(text.includes(flag), `${path.join(' ')} ${flag}`);
  }
  for (const {exit} of Object.values(errorKinds)) t.regex(text, new RegExp(`^ {7}${exit} `, 'm'));
});

test('cellar.conf(5) has every option', t => {
  const text = rendered['cellar.conf.5']?.text ?? '';
  for (const [group, members] of Object.entries(options as Table)) {
    t.true(text.includes(`[${group}]`));
    for (const name of Object.keys(members)) t.regex(text, new RegExp(`^ {7}${name} \\(`, 'm'), `[${group}] ${name}`);
  }
});

test('the pages of the daemons have the options that the programs say they have', t => {
  for (const name of ['cellar-agent.8', 'cellar-registrar.8'])
    for (const option of ['--config-file FILE', '--config-dir DIR', '--version', '--help'])
      t.true(rendered[name]?.text.includes(option), `${name} ${option}`);
});

/** What bash offers for a line whose last word is being typed. */
function offered(line: string): string[] {
  const file = written('cellar.bash', bashCompletion());
  const script = `source /usr/share/bash-completion/bash_completion; source ${file}
COMP_WORDS=(${line} ''); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE='${line} '; COMP_POINT=\${#COMP_LINE}
_cellar; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', script], {encoding: 'utf8', cwd: scratch}).trim().split('\n').toSorted();
}

test('bash is offered every command, where it stands', t => {
  for (const {path, children} of commandTable())
    if (children.length > 0) t.deepEqual(offered(['cellar', ...path].join(' ')), children.toSorted(), path.join(' '));
  t.deepEqual(
    offered('cellar --socket /tmp/s -q disk'),
    offered('cellar disk'),
    'options and their values are passed over',
  );
  t.deepEqual(offered('cellar disk create p/n --image'), [''], 'nothing for the value of an option');
});

test('zsh takes the completion, which has every command with its options', t => {
  const text = zshCompletion();
  t.is(spawnSync('zsh', ['-n', written('_cellar', text)], {encoding: 'utf8'}).stderr, '');
  for (const {path, options} of commandTable()) {
    const name = ['_cellar', ...path].join('_');
    const [, body = ''] = text.split(`\n${name}() {`);
    t.not(body, '', name);
    for (const {flags} of options) t.true(body.split('\n}\n')[0]?.includes(flags[0] ?? '?'), `${name} ${flags[0]}`);
  }
});

test('/etc/cellar/cellar.conf is the same in every version: dpkg would ask on each host that has edited it', t => {
  const text = readFileSync(join(packaging, 'deb/cellar.conf'), 'utf8');
  t.is(
    createHash('sha256').update(text).digest('hex'),
    'f0d75f9f81037b00edd86781793dd14fa7f0f43884aba4fa7431b55fc3bcb599',
  );
});

test('every unit of packaging/systemd is in a package', async t => {
  const {systemd} = await import('../../scripts/lib/layout.mjs' as string);
  const rules = readFileSync(join(packaging, 'deb/debian/rules'), 'utf8');
  for (const name of Object.keys(systemd).filter(name => /\.(service|socket)$/.test(name)))
    t.true(rules.includes(name) || rules.includes(`--name=${name.replace(/\..*/, '')}`), name);
});

test('a module whose licence is not known, or has no text, is not packaged', async t => {
  const {moduleStanza} = await import('../../scripts/lib/copyright.mjs' as string);
  const module = (name: string, license: string) => {
    written(`${name}/package.json`, JSON.stringify({name, version: '1.0.0', license, author: 'Somebody'}));
    return join(scratch, name);
  };
  t.throws(() => moduleStanza(module('proprietary', 'UNLICENSED'), 'x/*'), {message: /UNLICENSED/});
  t.throws(() => moduleStanza(module('silent', 'MIT'), 'x/*'), {message: /text of its licence is missing/});
  written('good/LICENSE', 'MIT License\n\nCopyright (c) 2020 Somebody Else\n\nPermission');
  t.is(
    moduleStanza(module('good', 'MIT'), 'x/*'),
    'Files: x/*\nCopyright: (c) 2020 Somebody Else\nLicense: MIT-good-1.0.0\n MIT License\n .\n Copyright (c) 2020 Somebody Else\n .\n Permission\n',
  );
});
