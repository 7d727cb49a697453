/** Commands in the documents are commands: of `cellar` with these options, of npm with this name, of Ceph with this effect. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import type {Act} from '../../src/cli/command.ts';
import {createParser} from '../../src/cli/parser.ts';
import {takeSources} from '../../src/config/load.ts';
import {CellarError} from '../../src/core/errors.ts';
import {allBlocks, type Block, commands, pages, root, words} from './pages.ts';

const id = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';

/** What is wrong with the command line, if anything. Nothing is run. */
async function complaint(line: string): Promise<string | undefined> {
  let ran = false;
  const act: Act = () => async () => {
    ran = true;
  };
  const [, ...argv] = words(line);
  const {rest} = takeSources(argv);
  try {
    await createParser(rest, act, {stdout: {columns: 100} as never}).parse();
  } catch (error) {
    return error instanceof CellarError ? error.message : String(error);
  }
  return ran || rest.includes('--help') || rest.includes('--version') ? undefined : 'it does nothing';
}

/** `a|b` stands for one of them, `[--pin]` for what may be left out, `ID` for an id. */
function meant(line: string): string[] {
  const plain = line.replace(/\[(-[^\]]*)\]/g, '$1').replace(/\bID\b/g, id);
  const [choice] = /\S+\|\S+/.exec(plain) ?? [];
  if (choice === undefined) return [plain];
  return choice.split('|').flatMap(one => meant(plain.replace(choice, one)));
}

const shells = allBlocks.filter(({lang}) => ['sh', 'indented', ''].includes(lang));
/** Each command of a block by itself. */
const single = (block: Block): string[] => commands(block).flatMap(line => line.split(/ (?:&&|;|>) | &$/));
const ours = (line: string): string[] => {
  const [, rest] = /(?:^|\| )(cellar(?: .*)?)$/.exec(line) ?? [];
  const viaNpm = /^npm run --silent cellar -- (.*)$/.exec(line)?.[1];
  return [rest, viaNpm === undefined ? undefined : `cellar ${viaNpm}`].filter(one => one !== undefined);
};

test('commands of `cellar` in blocks have these names and take these options', async t => {
  const lines = shells.flatMap(block =>
    single(block)
      .flatMap(ours)
      .map(line => ({line, at: `${block.page}:${block.line}`})),
  );
  t.true(lines.length >= 10);
  for (const {line, at} of lines)
    for (const one of meant(line)) t.is(await complaint(one.replaceAll('…', 'x')), undefined, `${at}: ${one}`);
});

test('commands of `cellar` in sentences have these names and options; what they are for may be left out', async t => {
  let seen = 0;
  for (const {path, text} of pages) {
    for (const [, line = ''] of text.matchAll(/`(cellar [a-z][^`\n]*)`/g)) {
      seen++;
      const wrong = await Promise.all(meant(line.replace(/ POOL\/NAME| HOST| CELL| …/g, ' x')).map(complaint));
      const serious = wrong.filter(
        one => one !== undefined && !/^(Not enough|Missing|it does nothing|\w+ needs a command)/.test(one),
      );
      t.deepEqual(serious, [], `${path}: ${line}`);
    }
  }
  t.true(seen >= 10);
});

test('tasks of npm in the documents are tasks of package.json', t => {
  const {scripts} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {scripts: Record<string, string>};
  const named = pages.flatMap(({path, text}) =>
    [...text.matchAll(/npm (?:run (?:--silent )?([a-z][a-z0-9:-]*)|(test)\b)/g)].map(([, run, plain]) => ({
      path,
      name: run ?? plain ?? '',
    })),
  );
  t.true(named.length > 10);
  for (const {path, name} of named) t.true(name in scripts, `${path}: npm run ${name}`);
});

test('the agent and the registrar are started with options that they have', t => {
  const lines = shells
    .flatMap(single)
    .filter(line => /(^|\s)cellar-(agent|registrar)( |$)/.test(line) && !/systemctl|apt/.test(line));
  t.true(lines.length > 0);
  for (const line of lines)
    for (const option of line.match(/(?<=\s)--[a-z-]+/g) ?? [])
      t.true(['--config-file', '--config-dir', '--version', '--help'].includes(option), line);
});

test("the rights in Ceph that the documents give are those that the doctor's tests run with", t => {
  const source = readFileSync(join(root, 'test/doctor/host.ts'), 'utf8');
  const tried = (user: string) =>
    new RegExp(`${user}: \\{mon, osd: \`(.*)\`\\}`)
      .exec(source)?.[1]
      ?.replaceAll('$' + '{vms}', 'vms')
      .replaceAll('$' + '{cache}', 'cellar');
  const given = shells
    .flatMap(commands)
    .flatMap(line => line.split(' && '))
    .map(line => line.replace(/^\(umask 077; (.*)\)$/, '$1'))
    .filter(line => /^ceph auth (caps|get-or-create) /.test(line))
    .map(line => words(line));
  const osdOf = (user: string) =>
    given.filter(line => line.includes(`client.${user}`)).map(line => line[line.indexOf('osd') + 1]);
  t.true(osdOf('cellar').length >= 2, 'operations.md and README.md');
  for (const osd of osdOf('cellar')) t.is(osd, tried('cellar'));
  t.is(osdOf('nova')[0], tried('nova'));
  for (const line of given) t.is(line[line.indexOf('mon') + 1], 'profile rbd');
  t.deepEqual(osdOf('cinder'), [
    'profile rbd pool=volumes, profile rbd pool=vms, profile rbd-read-only pool=images, profile rbd-read-only pool=cellar',
    'profile rbd pool=volumes, profile rbd-read-only pool=cellar',
  ]);
});
