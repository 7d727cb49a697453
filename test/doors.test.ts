import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../src/', import.meta.url));

/** Which folders each folder may import, and which files of them where not all. docs/architecture.md has the same table for people. */
const doors: Record<string, (string | RegExp)[]> = {
  core: ['core'],
  rbd: ['rbd', 'core'],
  http: ['http', 'core'],
  keystone: ['keystone', 'http', 'core'],
  glance: ['glance', 'http', 'core'],
  oslo: ['oslo', 'core'],
  nova: ['nova', 'core', 'oslo', 'keystone', 'http'],
  config: ['config', 'core'],
  convert: ['convert', 'core'],
  base: ['base', 'core'],
  service: ['service', 'core'],
  api: ['api', 'core'],
  facade: ['facade', 'core', 'http'],
  metrics: ['metrics', 'core'],
  // settings.ts is what the configuration means to the parts, which the doctor makes as the agent does
  doctor: [
    'doctor',
    'core',
    'config',
    'rbd',
    'keystone',
    'glance',
    'http',
    /^base\/file\.ts$/,
    /^api\/client\.ts$/,
    /^daemon\/(settings|own-address)\.ts$/,
  ],
  // one program beside the agent: of the agent it shares how a configuration is read, of the API how HTTP is answered
  registrar: [
    'registrar',
    'core',
    'config',
    'metrics',
    'keystone',
    'http',
    'nova',
    'oslo',
    'service',
    'metrics',
    /^api\/(answer|body|connections|parse|problem|request|server|wire)\.ts$/,
    /^daemon\/(login|loop-delay|own-address|program|rabbit|observe-registration)\.ts$/,
  ],
  host: [
    'host',
    'core',
    'config',
    'keystone',
    'nova',
    'oslo',
    /^registrar\/client\.ts$/,
    /^daemon\/(login|rabbit|registrar)\.ts$/,
  ],
  cli: ['cli', 'doctor', 'host', /^api\/(client|wire|agent)\.ts$/, 'config', /^core\/errors\.ts$/],
  daemon: [
    'daemon',
    'base',
    'convert',
    'core',
    'rbd',
    'http',
    'keystone',
    'glance',
    'config',
    'api',
    'facade',
    'metrics',
    'nova',
    'oslo',
    'service',
    /^registrar\/client\.ts$/,
  ],
};

/** Libraries are for the folder that owns what they talk to. */
const libraries: Record<string, string[]> = {
  core: [],
  rbd: [],
  http: ['got', 'zod'],
  keystone: ['zod'],
  glance: ['zod'],
  oslo: ['amqplib'],
  nova: ['zod'],
  config: [],
  convert: ['zod'],
  base: [],
  service: [],
  api: ['got', 'zod'],
  facade: ['lru-cache'],
  metrics: ['prom-client'],
  doctor: [],
  registrar: ['zod', 'pino'],
  host: [],
  cli: ['yargs', 'yargs/helpers'],
  daemon: ['pino'],
};

const files = readdirSync(root, {recursive: true, encoding: 'utf8'}).filter(file => file.endsWith('.ts'));

test('every folder of src imports only what its doors allow', t => {
  const wrong = files.flatMap(file => {
    const folder = file.split('/')[0] ?? '';
    const allowed = doors[folder];
    if (allowed === undefined) return [`${file}: the folder ${folder} has no row in the table`];
    return importsOf(file).flatMap(target => {
      if (target.startsWith('node:')) return [];
      if (!target.startsWith('.'))
        return (libraries[folder] ?? []).includes(target) ? [] : [`${file} imports the library ${target}`];
      const path = relative(root, resolve(root, dirname(file), target));
      const open = allowed.some(door => (typeof door === 'string' ? path.startsWith(`${door}/`) : door.test(path)));
      return open ? [] : [`${file} imports ${path}`];
    });
  });
  t.deepEqual(wrong, []);
});

test('core does no I/O: of Node it uses what needs no outside world', t => {
  const pure = ['node:crypto', 'node:util', 'node:timers/promises', 'node:events'];
  const wrong = files
    .filter(file => file.startsWith('core/'))
    .flatMap(file => importsOf(file).filter(target => target.startsWith('node:') && !pure.includes(target)));
  t.deepEqual(wrong, []);
});

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(match => match[1] ?? '');
}
