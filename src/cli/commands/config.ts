import type {Argv} from 'yargs';
import type {ConfigEntry} from '../../config/config.ts';
import {readConfig} from '../../config/load.ts';
import {describeProblem} from '../../config/problem.ts';
import {errorKinds} from '../../core/errors.ts';
import {type Act, examples} from '../command.ts';
import type {Result} from '../output.ts';
import type {Session} from '../session.ts';
import {table} from '../table.ts';

export const configCommands = (yargs: Argv, act: Act) =>
  yargs
    .usage(
      examples('config <command>', ['cellar config check', 'cellar config show --config-file /etc/cellar/cellar.conf']),
    )
    .command(
      'check',
      'what is wrong with the configuration; exit code 78 if anything is',
      command =>
        command.usage(examples('config check', ['cellar config check', 'cellar config check --config-file new.conf'])),
      act(check),
    )
    .command(
      'show',
      'every option as it stands, and where it comes from; secrets are masked',
      command => command.usage(examples('config show', ['cellar config show', 'cellar config show --json'])),
      act(show),
    )
    .command(
      'sample',
      'a configuration file that says what there is to set',
      command =>
        command.usage(
          examples('config sample', ['cellar config sample', 'cellar config sample > /etc/cellar/cellar.conf']),
        ),
      act(sample),
    )
    .demandCommand(1, 'config needs a command');

async function check({sources, env}: Session): Promise<Result> {
  const config = readConfig(sources, {env});
  const problems = config.check();
  const good = problems.length === 0;
  const exposed = config.exposed();
  const lines = good
    ? [`the configuration is good; read: ${config.files.join(', ') || 'no file'}`]
    : problems.map(problem => `${describeProblem(problem)}\n  ${problem.hint}`);
  const warnings = exposed.map(({what, hint}) => `warning: ${what}\n  ${hint}`);
  return {
    json: {schema: 1, ok: good, files: config.files, problems, exposed},
    ids: problems.flatMap(({option}) => option ?? []),
    text: [...lines, ...warnings].map(line => `${line}\n`).join(''),
    exit: good ? 0 : errorKinds.config.exit,
  };
}

async function show({sources, env}: Session): Promise<Result> {
  const config = readConfig(sources, {env});
  const entries = config.entries();
  const rows = entries.map(entry => [optionName(entry), shown(entry), from(entry)]);
  const options = entries.map(({group, name, text, value, origin, problem}) => ({
    group,
    name,
    text,
    value: value instanceof Map ? Object.fromEntries(value) : value,
    origin,
    problem,
  }));
  return {
    json: {schema: 1, files: config.files, options},
    ids: entries.map(optionName),
    text: table(['OPTION', 'VALUE', 'FROM'], rows),
  };
}

const optionName = ({group, name}: ConfigEntry) => `[${group}] ${name}`;

const shown = ({text, problem}: ConfigEntry) =>
  problem === undefined ? text.replaceAll('\n', ' ') : `(${problem.what})`;

function from({origin}: ConfigEntry): string {
  if (origin.from === 'file')
    return `${origin.file}:${origin.line}${origin.as === undefined ? '' : ` as ${origin.as}`}`;
  return origin.from === 'environment' ? origin.variable : origin.from;
}

/** Loaded when asked for: the table is large, and the other commands do not print it. */
async function sample(): Promise<Result> {
  const {sampleIni} = await import('../../config/sample.ts');
  const text = sampleIni();
  return {json: {schema: 1, sample: text}, ids: [], text};
}
