/**
 * The bill of materials of what is shipped, as CycloneDX JSON on stdout: the npm packages of production as package-lock.json pins
 * them, and the Debian packages of this machine that the addon is linked with and that the agent runs as programs. The same tree
 * on the same machine gives the same bytes.
 */
import {execFileSync} from 'node:child_process';
import {readFileSync, realpathSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** What src/convert runs. */
const programs = ['qemu-utils', 'qemu-block-extra', 'util-linux'];
const addon = 'build/Release/rbd.node';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const {name, version, packages} = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const root = packages[''];
const bom = {
  $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: {
    component: {type: 'application', 'bom-ref': `${name}@${version}`, name, version, licenses: licensesOf(root)},
  },
  components: [...npmComponents(), ...debianComponents()].toSorted((a, b) => (a.purl < b.purl ? -1 : 1)),
};
process.stdout.write(`${JSON.stringify(bom, undefined, 2)}\n`);

/** One for each version that is installed, wherever it is. */
function npmComponents() {
  const found = Object.entries(packages).filter(([path, {dev, devOptional}]) => path !== '' && !dev && !devOptional);
  const components = found.map(([path, entry]) => npmComponent(path.replace(/^.*node_modules\//, ''), entry));
  return [...new Map(components.map(component => [component.purl, component])).values()];
}

function npmComponent(name, entry) {
  const {version, integrity = '', optional} = entry;
  const [, algorithm, digest = ''] = /^sha(\d+)-(.*)$/.exec(integrity) ?? [];
  const content = Buffer.from(digest, 'base64').toString('hex');
  return {
    type: 'library',
    'bom-ref': `${name}@${version}`,
    name,
    version,
    scope: optional ? 'optional' : 'required', // of the Nodes only the one of the machine is installed
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    ...(algorithm !== undefined && {hashes: [{alg: `SHA-${algorithm}`, content}]}),
    licenses: licensesOf(entry),
  };
}

function licensesOf({license}) {
  if (license === undefined) return [];
  return /[ ()]/.test(license) ? [{expression: license}] : [{license: {id: license}}];
}

function debianComponents() {
  const {VERSION_ID} = Object.fromEntries(
    readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .map(line => line.replaceAll('"', '').split('=')),
  );
  const owners = librariesOf(addon).map(ownerOf);
  return [...new Set([...owners, ...programs])].map(one => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is dpkg's
    const format = '${Package} ${Version} ${Architecture}';
    const [plain, version, arch] = run('dpkg-query', ['-W', '-f', format, one]).split(' ');
    const purl = `pkg:deb/debian/${plain}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-${VERSION_ID}`;
    return {type: 'library', 'bom-ref': purl, name: plain, version, scope: 'required', purl};
  });
}

/** The files of the libraries that the addon names itself; theirs are Debian's affair. */
function librariesOf(file) {
  const needed = [...run('readelf', ['-d', file]).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library);
  const paths = new Map(
    [...run('ldd', [file]).matchAll(/^\s*(\S+)(?: => (\S+))? \(/gm)].map(([, wanted, path = wanted]) => [
      wanted.replace(/^.*\//, ''),
      path,
    ]),
  );
  return needed.map(library => paths.get(library) ?? fail(`${file} needs ${library}, which is not here`));
}

/** Debian's files are where a package put them, or where /lib, a link to /usr/lib, leads. */
function ownerOf(path) {
  const real = realpathSync(path);
  for (const place of [path, real, real.replace(/^\/usr/, '')]) {
    try {
      return run('dpkg-query', ['-S', place]).split(': ')[0];
    } catch {}
  }
  return fail(`no package owns ${path}`);
}

function run(command, args) {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {...process.env, LC_ALL: 'C'},
  });
}

function fail(why) {
  process.stderr.write(`sbom: ${why}\n`);
  process.exit(1);
}
