/** debian/copyright: the licence of everything that is shipped. A licence that nobody has looked at fails the build. */
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

/** Those that let us ship the module inside a package under Apache-2.0, with their text. */
const known = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  '(MIT OR CC0-1.0)',
]);

const home = 'usr/lib/cellar';
const apache = ` Licensed under the Apache License, Version 2.0. On Debian systems its text is in
 /usr/share/common-licenses/Apache-2.0.`;

/** `modules` are the paths of the shipped ones, `node` is that of the Node package. */
export function copyright({modules, node}) {
  const ours = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: cellar
Comment: npm modules are below ${home}/node_modules, the Node.js runtime is ${home}/bin/node.

Files: *
Copyright: The cellar authors
License: Apache-2.0
${apache}
`;
  const runtime = stanza({
    files: `${home}/bin/node`,
    holders: ['Node.js contributors', 'and those that the licence names for what Node.js contains'],
    name: 'Node.js',
    text: licenceText(node),
  });
  const compiledIn = 'node_modules/node-addon-api';
  return [
    ours,
    runtime,
    moduleStanza(compiledIn, `${home}/build/Release/*`),
    ...modules.map(path => moduleStanza(path, `${home}/${path}/*`)),
  ].join('\n');
}

/** For one npm module. Fails when its licence is not one of the known, or its text is missing. */
export function moduleStanza(path, files) {
  const {name, version, license, author} = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  if (!known.has(license))
    throw new Error(`${path}: the licence ${JSON.stringify(license)} is not known: see scripts/lib/copyright.mjs`);
  const text = licenceText(path);
  const holders = [...text.matchAll(/^\W*Copyright\s+(?=.*\d{4}|\(c\)|©)(.*\S)/gim)].map(([, holder]) => holder);
  const named = typeof author === 'string' ? author : author?.name;
  return stanza({
    files,
    holders: holders.length > 0 ? [...new Set(holders)] : [named ?? `the authors of ${name}`],
    name:
      license === 'Apache-2.0'
        ? license
        : `${license.replace(/^\((.*?) .*$/, '$1')}-${name.replace(/\W+/g, '-').replace(/^-/, '')}-${version}`,
    text: license === 'Apache-2.0' ? undefined : text,
  });
}

/** A long one may refer to a paragraph of Debian's own text. */
const stanza = ({files, holders, name, text}) => `Files: ${files}
Copyright: ${holders.join('\n           ')}
License: ${name}
${text === undefined ? apache : indented(text)}
`;

function licenceText(path) {
  const names = readdirSync(path).filter(name => /^(licen[cs]e|copying)([-.]|$)/i.test(name));
  const name = names.find(each => /mit/i.test(each)) ?? names.toSorted()[0];
  if (name === undefined || !existsSync(join(path, name)))
    throw new Error(`${path}: the text of its licence is missing`);
  return readFileSync(join(path, name), 'utf8');
}

/** The format's continuation lines: a space before each, a dot for an empty one. */
const indented = text =>
  text
    .replaceAll('\r', '')
    .trimEnd()
    .split('\n')
    .map(line => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');
