/** Writes the man pages, completions and the sample configuration of the packages: `node packaging/man/main.ts DIRECTORY DATE`. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {sampleIni} from '../../src/config/sample.ts';
import {version} from '../../src/config/version.ts';
import {bashCompletion} from '../completion/bash.ts';
import {zshCompletion} from '../completion/zsh.ts';
import {cellarPage} from './cellar.ts';
import {confPage} from './conf.ts';
import {agentPage, registrarPage} from './daemons.ts';
import {page} from './roff.ts';

/** The texts by their file names. `date` stands in the foot of the pages. */
export function manual(date: string): Record<string, string> {
  const pages = [
    cellarPage(version, date),
    confPage(version, date),
    agentPage(version, date, usageOf('daemon')),
    registrarPage(version, date, usageOf('registrar')),
  ];
  return Object.fromEntries(pages.map(each => [`${each.name}.${each.section}`, page(each)]));
}

const usageOf = (folder: string): string =>
  execFileSync(process.execPath, [fileURLToPath(new URL(`../../src/${folder}/main.ts`, import.meta.url)), '--help'], {
    encoding: 'utf8',
    timeout: 60_000,
  });

if (import.meta.main) {
  const [directory = '.', date = ''] = process.argv.slice(2);
  mkdirSync(directory, {recursive: true});
  const files = {
    ...manual(date),
    'cellar.bash': bashCompletion(),
    _cellar: zshCompletion(),
    'cellar.conf': sampleIni(),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}
