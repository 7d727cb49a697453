/** What is in the Debian packages, laid out for debhelper: files/PACKAGE is what PACKAGE puts into the root directory. */
import {copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {copyright} from './copyright.mjs';
import {copyModule, shippedModules} from './modules.mjs';

const home = 'usr/lib/cellar';
const programs = {
  cellar: {package: 'common', main: 'cli'},
  'cellar-agent': {package: 'agent', main: 'daemon', options: ' --enable-source-maps'},
  'cellar-registrar': {package: 'registrar', main: 'registrar', options: ' --enable-source-maps'},
};

/** debhelper's names for the files of packaging/systemd. debian/rules says which of them are enabled. */
export const systemd = {
  'cellar-agent.service': 'cellar-agent.service',
  'cellar-agent.socket': 'cellar-agent.socket',
  'cellar-facade.socket': 'cellar-agent.cellar-facade.socket',
  'cellar-registrar.service': 'cellar-registrar.service',
  'cellar.sysusers': 'cellar-common.sysusers',
  'cellar.tmpfiles': 'cellar-common.tmpfiles',
};

/** `source` has debian/ already; `run` runs a command and returns its stdout. */
export function layOut({source, epoch, run, version}) {
  const own = JSON.parse(readFileSync('package.json', 'utf8'));
  const node = `node_modules/node-linux-${process.arch}`;
  const modules = shippedModules();
  const place = name => {
    const path = join(source, 'files', name);
    mkdirSync(dirname(path), {recursive: true});
    return path;
  };
  const write = (name, text, mode = 0o644) => writeFileSync(place(name), text, {mode});

  // types are a stage of the tests, and packaging takes what passed
  run('tsc', ['--noCheck', '--project', 'tsconfig.build.json', '--outDir', place(`common/${home}/dist`)]);
  for (const {main} of Object.values(programs)) withoutInterpreter(place(`common/${home}/dist/${main}/main.js`));
  const {name, type} = own;
  write(
    `common/${home}/package.json`,
    json({name, version: version ?? own.version, license: own.license, private: true, type}),
  );
  for (const path of modules) copyModule(path, place(`common/${home}/${path}`));
  copyFileSync(`${node}/bin/node`, place(`common/${home}/bin/node`));
  for (const addon of addons()) {
    const owner = run('readelf', ['--dynamic', addon]).includes('[librbd.so') ? 'agent' : 'common';
    copyFileSync(addon, place(`${owner}/${home}/${addon}`));
  }
  for (const [name, {package: owner, main, options = ''}] of Object.entries(programs))
    write(
      `${owner}/usr/bin/${name}`,
      `#!/bin/sh\nexec /${home}/bin/node${options} /${home}/dist/${main}/main.js "$@"\n`,
      0o755,
    );

  writeTexts({run, date: day(epoch), place});
  // dpkg asks about a conffile that was edited whenever the packaged one has changed: this one never does
  copyFileSync('packaging/deb/cellar.conf', place('common/etc/cellar/cellar.conf'));
  mkdirSync(place('common/etc/cellar/cellar.conf.d'));
  copySystemd(source);
  for (const each of ['README.md', 'CHANGELOG.md', 'docs']) cpSync(each, place(`doc/${each}`), {recursive: true});
  for (const each of ['grafana', 'prometheus']) cpSync(`packaging/${each}`, place(`doc/${each}`), {recursive: true});

  const maintainer = `${process.env.DEBFULLNAME || 'cellar maintainers'} <${process.env.DEBEMAIL || 'cellar@localhost'}>`;
  const debian = name => join(source, 'debian', name);
  writeFileSync(debian('control'), readFileSync(debian('control'), 'utf8').replace('@MAINTAINER@', maintainer));
  writeFileSync(debian('changelog'), changelog({version: version ?? own.version, maintainer, epoch}));
  writeFileSync(debian('copyright'), copyright({modules, node}));
}

/** Man pages, completions and the sample of the configuration, made from the program. */
function writeTexts({run, date, place}) {
  const made = dirname(place('made/x'));
  run(process.execPath, ['packaging/man/main.ts', made, date]);
  const moves = {
    'cellar.conf': 'examples/cellar.conf',
    'cellar.bash': 'common/usr/share/bash-completion/completions/cellar',
    _cellar: 'common/usr/share/zsh/vendor-completions/_cellar',
  };
  for (const name of readdirSync(made)) copyFileSync(join(made, name), place(moves[name] ?? `man/${name}`));
}

/** /usr/bin has what starts it. The line stays, for the source maps. */
function withoutInterpreter(path) {
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^#!.*/, '//'));
}

function addons() {
  const folder = 'build/Release';
  const found = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.node')) : [];
  if (!found.includes('rbd.node')) throw new Error('the addon is not built: run `node scripts/setup.mjs`');
  return found.map(name => `${folder}/${name}`);
}

/** Fails for a unit that debian/rules does not know: it would be missing without a word. */
function copySystemd(source) {
  for (const name of readdirSync('packaging/systemd').filter(name =>
    /\.(service|socket|timer|sysusers|tmpfiles)$/.test(name),
  )) {
    const target = systemd[name];
    if (target === undefined)
      throw new Error(`packaging/systemd/${name} is in none of the packages: see scripts/lib/layout.mjs`);
    copyFileSync(`packaging/systemd/${name}`, join(source, 'debian', target));
  }
}

const json = value => `${JSON.stringify(value, null, 2)}\n`;
const day = epoch => new Date(epoch * 1000).toISOString().slice(0, 10);

function changelog({version, maintainer, epoch}) {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `cellar (${version}) unstable; urgency=medium\n\n  * What has changed: /usr/share/doc/cellar-common/CHANGELOG.md.gz\n\n -- ${maintainer}  ${date}\n`;
}
