import {deepStrictEqual} from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {Both, type Case} from './both.ts';
import {grammar} from './corners-grammar.ts';
import {sources} from './corners-sources.ts';
import {references, referring, values} from './corners-values.ts';
import {brokenFile, file, someCase} from './generate.ts';
import type {Answer} from './oslo.ts';
import {everything} from './tables.ts';

const both = new Both(everything);
// More for a longer search: CELLAR_CONFIG_RUNS=30000.
const runs = Math.max(300, Number(process.env['CELLAR_CONFIG_RUNS'] ?? 1000));

test.after.always(async t => {
  t.log(`${both.cases} cases in all`);
  await both.stop();
});

/** One file of this content. */
const single = (content: string | Uint8Array, rest: Partial<Case> = {}): Case => ({
  files: {'a.conf': content},
  argv: ['--config-file', '@/a.conf'],
  ...rest,
});

test.serial('files by the grammar are read and refused as oslo.config does', async t => {
  const {loaded} = await compare(file, runs);
  t.log(`${runs} cases, ${loaded} of them loaded`);
  t.true(loaded > runs / 3, 'the generator should make files that load');
});

test.serial('files with broken bytes are read and refused as oslo.config does', async t => {
  const {loaded, refused} = await compare(brokenFile, Math.ceil(runs / 2));
  t.log(`${Math.ceil(runs / 2)} cases, ${loaded} of them loaded`);
  t.true(loaded > runs / 20);
  for (const kind of ['syntax', 'encoding']) t.true(refused.has(kind), `no file was refused for its ${kind}`);
});

/** Runs generated cases. A failure names the seed, and fast-check has made the case small. */
async function compare(content: fc.Arbitrary<string | Uint8Array>, numRuns: number) {
  let loaded = 0;
  const refused = new Set<string>();
  const property = fc.asyncProperty(someCase(content), async given => {
    const {theirs, ours} = await both.answers(given);
    if ('load' in theirs) refused.add(theirs.load);
    else loaded += 1;
    // One of the differences in the documentation, and the only one that generated files can meet.
    if (hasHugeInteger(theirs)) return;
    deepStrictEqual(ours, theirs);
  });
  await fc.assert(property, {numRuns});
  return {loaded, refused};
}

const hasHugeInteger = (answer: Answer): boolean =>
  [...JSON.stringify(answer).matchAll(/\{"int":"(-?\d+)"\}/g)].some(
    ([, digits]) => !Number.isSafeInteger(Number(digits)),
  );

/** Compares one case; `name` is for the message. */
async function same(t: ExecutionContext, name: string, given: Case) {
  const {theirs, ours} = await both.answers(given);
  t.deepEqual(ours, theirs, name);
}

test.serial('every corner of the grammar is read as oslo.config does', async t => {
  for (const [name, corner] of Object.entries(grammar)) await same(t, name, single(corner));
});

test.serial('every corner of files, directories, environment and old names is read as oslo.config does', async t => {
  for (const [name, corner] of Object.entries(sources)) {
    await same(t, name, {files: {}, argv: [], ...corner});
  }
});

test.serial('every reference means what it means to oslo.config', async t => {
  for (const text of references) await same(t, text, single(referring(text)));
});

test.serial('every value means the same to every type, from a file and from the environment', async t => {
  for (const value of values) {
    const sections = ['DEFAULT', 'alpha', 'beta'].map(group => {
      const members = everything.filter(option => option.group === group);
      return `[${group}]\n${members.map(({name}) => `${name} = ${value}\n`).join('')}`;
    });
    await same(t, value, single(sections.join('')));
    if (value.includes('\0')) continue;
    const variables = everything.filter(({type}) => type.kind !== 'multi');
    const env = variables.map(({group, name}) => [`OS_${group}__${name}`.toUpperCase(), value]);
    await same(t, `${value} (environment)`, {files: {}, argv: [], env: Object.fromEntries(env)});
  }
});
