/** The bill of materials is what npm itself says is installed for production, and what the addon is linked with. */
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../', import.meta.url));

type Component = {
  name: string;
  version: string;
  purl: string;
  scope: string;
  hashes?: {content: string}[];
  licenses?: unknown[];
};
type Tree = {version?: string; dependencies?: Record<string, Tree>};

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, {cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26});
const sbom = () => run(process.execPath, 'scripts/sbom.mjs');

function namesIn({dependencies = {}}: Tree): string[] {
  return Object.entries(dependencies).flatMap(([name, tree]) =>
    tree.version === undefined ? [] : [`${name}@${tree.version}`, ...namesIn(tree)],
  );
}

test('it lists the production packages of the lock file, each with its hash and its licence', t => {
  const {components} = JSON.parse(sbom()) as {components: Component[]};
  const npm = components.filter(({purl}) => purl.startsWith('pkg:npm/'));
  const tree = JSON.parse(run('npm', 'ls', '--all', '--omit=dev', '--json', '--package-lock-only')) as Tree;
  const listed = npm.map(({name, version}) => `${name}@${version}`);
  t.deepEqual(listed.toSorted(), [...new Set(namesIn(tree))].sort());
  t.true(listed.some(one => one.startsWith('amqplib@')));
  t.false(listed.some(one => /^(ava|typescript)@/.test(one)));
  const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')).packages;
  for (const {name, hashes, licenses} of npm) {
    t.is(licenses?.length, 1, name);
    t.regex(hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/, name);
  }
  const got = npm.find(({name}) => name === 'got');
  t.is(
    `sha512-${Buffer.from(got?.hashes?.[0]?.content ?? '', 'hex').toString('base64')}`,
    lock['node_modules/got'].integrity,
  );
});

test("it lists Ceph's libraries with the versions that are installed, and is the same each time", t => {
  const text = sbom();
  t.is(sbom(), text);
  const {components} = JSON.parse(text) as {components: Component[]};
  for (const name of ['librbd1', 'librados2', 'qemu-utils']) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is dpkg's
    const version = run('dpkg-query', '-W', '-f', '${Version}', name);
    t.like(
      components.find(one => one.name === name),
      {version, scope: 'required'},
      name,
    );
  }
});
