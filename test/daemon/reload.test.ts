import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import pino from 'pino';
import type {Table} from '../../src/config/option.ts';
import {options} from '../../src/config/options.ts';
import {Configuration} from '../../src/daemon/reload.ts';
import type {Settings} from '../../src/daemon/settings.ts';

const listen = '[facade]\nlisten = 127.0.0.1:9292\nupstream = http://glance:9292\n';

/** A configuration that a test changes, and what a reload of it does. */
function subject(t: ExecutionContext, first = '') {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-reload-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const file = join(dir, 'cellar.conf');
  writeFileSync(file, listen + first);
  const configuration = new Configuration([{file}, {dir: mkdtempSync(join(dir, 'empty-'))}]);
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, {write: line => lines.push(JSON.parse(line))});
  const applied: Settings[] = [];
  return {
    configuration,
    applied,
    lines,
    reload(text: string) {
      writeFileSync(file, listen + text);
      return configuration.reload(settings => applied.push(settings), log);
    },
  };
}

/** What the agent takes over from the settings while it runs: Composed.apply, and main's own. */
const live = ({limits, converter, requestTimeout, shutdownTimeout, logLevel, facade}: Settings) => ({
  limits,
  conversions: converter.limits,
  requestTimeout,
  shutdownTimeout,
  logLevel,
  hold: facade?.hold,
});

const reloadable = Object.entries(options as Table).flatMap(([group, members]) =>
  Object.entries(members).flatMap(([name, option]) => (option.reload ? [{group, name, option}] : [])),
);

for (const {group, name, option} of reloadable) {
  test(`[${group}] ${name} can change, as the table says`, t => {
    const {configuration, applied, reload} = subject(t);
    const before = configuration.settings;
    const value = option.type.name === 'choice' ? 'debug' : String(Number(option.default) + 1);
    t.is(reload(`[${group}]\n${name} = ${value}\n`), '');
    const [after = before] = applied;
    t.notDeepEqual(live(after), live(before), 'the agent takes it over');
    const rest = (settings: Settings) => ({
      ...settings,
      ...live(before),
      converter: {...settings.converter, limits: 0},
      facade: {...settings.facade, hold: 0},
    });
    t.deepEqual(rest(after), rest(before), 'and it is nothing else');
  });
}

test('what cannot change is named until it is as it was, and never its value', t => {
  const {reload, lines, applied} = subject(t, '[service_user]\npassword = s3cr3t-1\n');
  const text = '[image_store]\npool = other\nmax_fill = 70\n[service_user]\npassword = s3cr3t-2\n';
  const note = 'restart needed for [image_store] pool, [service_user] password';
  t.is(reload(text), note);
  t.is(applied[0]?.limits.cache.maxFill, 0.7, 'the rest is taken over');
  t.like(lines[0], {changed: ['[image_store] max_fill']});
  t.like(lines[1], {level: 40, options: ['[image_store] pool', '[service_user] password']});
  t.is(reload(text), note, 'it is still so');
  t.is(reload('[service_user]\npassword = s3cr3t-1\n'), '');
  t.notRegex(JSON.stringify(lines), /s3cr3t/);
});

test('a file with an error changes nothing', t => {
  const {reload, lines, applied, configuration} = subject(t);
  const before = configuration.settings;
  const note = reload('[image_store]\nmax_fill = 70\nfill_timeuot = 5\n');
  t.regex(note, /^the configuration could not be read again: .*fill_timeuot/s);
  t.deepEqual(applied, []);
  t.is(configuration.settings, before);
  t.like(lines, [{level: 50, msg: 'the configuration could not be read again; nothing has changed'}]);
  t.is(reload('[image_store]\nmax_fill = 70\n'), '');
  t.is(applied.length, 1);
});

test("the registrar's options are another program's", t => {
  t.is(subject(t).reload('[registrar]\ndefault_cell = cell2\n'), '');
});
