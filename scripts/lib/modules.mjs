/** Which npm modules a package ships, and what of them. */
import {copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, extname, join} from 'node:path';

/** Only needed to build, or shipped in another way; type declarations have nothing that runs. */
const without = /^node_modules\/(node-linux-|node-addon-api$|@types\/)/;

/** What runs, and what it reads. */
const kept = new Set(['.js', '.cjs', '.mjs', '.json', '.wasm']);
const notRun = new Set([
  'test',
  'tests',
  '__tests__',
  'benchmark',
  'benchmarks',
  'bench',
  'docs',
  'examples',
  'example',
  '.github',
]);

/** Paths of the production modules, as package-lock.json has them, that have something that runs. */
export function shippedModules() {
  const {packages} = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return Object.entries(packages)
    .filter(([path, {dev, devOptional}]) => path !== '' && !dev && !devOptional && !without.test(path))
    .map(([path]) => path)
    .filter(path => {
      if (!existsSync(path)) throw new Error(`${path} is missing: run \`node scripts/setup.mjs\``);
      return filesOf(path).some(file => extname(file) !== '.json');
    });
}

/** Without tests, documents, types, source maps: and without modules of its own, which are in the list themselves. */
export function copyModule(path, target) {
  for (const file of filesOf(path)) {
    const to = join(target, file.slice(path.length + 1));
    mkdirSync(dirname(to), {recursive: true});
    copyFileSync(file, to);
  }
}

function filesOf(path) {
  return readdirSync(path, {withFileTypes: true}).flatMap(entry => {
    const below = join(path, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || notRun.has(entry.name) ? [] : filesOf(below);
    return entry.isFile() && kept.has(extname(entry.name)) && !isProgram(below) ? [below] : [];
  });
}

/** Programs of modules are not ours to install. */
const isProgram = path => readFileSync(path).subarray(0, 2).toString() === '#!';
