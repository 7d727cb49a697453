/** Whatever stands around it in a file, a secret that is written as one is shown by no problem, no entry and no error. */
import {join} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {readConfig} from '../../../src/config/load.ts';
import {options} from '../../../src/config/options.ts';
import {CellarError} from '../../../src/core/errors.ts';
import {withFiles} from '../../config/with-files.ts';
import {changed, changes, fuzz} from '../fuzz.ts';

const secret = 'hunter2';
const holders = [
  `password = ${secret}`,
  `password : "${secret}"`,
  `password = a$${secret}.b`,
  `password =\n  ${secret}`,
  `password = a\n\n  ${secret}`,
  `password = a\n# b\n  ${secret}`,
  `application_credential_secret=${secret}`,
  `transport_url = rabbit://u:${secret}@h:5672,v:${secret}@i/cell1`,
  `transport_url = rabbit://u:${secret}/x@y@h/`,
  `auth_url = http://u:${secret}@h/v3`,
  `token = ${secret}`,
];
const references = [
  '$service_user.password',
  '$password',
  '$DEFAULT.transport_url',
  '$transport_url',
  '$\u007bpassword}',
  '$$',
];
const sections = [
  '[DEFAULT]',
  '[service_user]',
  '[agent]',
  '[image_store]',
  '[glance]',
  '[oslo_messaging_rabbit]',
  '[nowhere]',
  '[',
  '[]',
  '[a] # b',
];
const names = Object.values(options).flatMap(group => Object.keys(group));

const line = fc.oneof(
  {weight: 3, arbitrary: fc.constantFrom(...holders)},
  {weight: 2, arbitrary: fc.constantFrom(...sections)},
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...names), fc.constantFrom('=', ' = ', ':'), fc.constantFrom(...references, '1', 'x', ''))
      .map(parts => parts.join('')),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('log_level = info', '# a comment', '  more', '', 'none', '\ufeff'), changes)
      .map(([text, list]) => changed(text, list)),
  },
);

/** All that can be seen of a configuration: its problems, its entries, its errors. */
function visible(content: string): string {
  return withFiles({'a.conf': content}, dir => {
    const config = readConfig([{file: join(dir, 'a.conf')}], {env: {}, home: '/nowhere', root: '/nowhere'});
    const seen = config.entries().map(({option: _, ...entry}) => {
      try {
        (config.get as (group: string, name: string) => unknown)(entry.group, entry.name);
        return entry;
      } catch (error) {
        if (!(error instanceof CellarError) || error.kind !== 'config') throw error;
        return [entry, error.message, error.hint, error.object];
      }
    });
    return JSON.stringify([config.check(), seen]);
  });
}

test('a secret that is written as one is never shown, whatever else is wrong with the file', async t => {
  const files = fc.array(line, {minLength: 1, maxLength: 12}).map(lines => lines.join('\n'));
  await fuzz(t, new URL('secrets-seeds.ndjson', import.meta.url), files, content => {
    const seen = visible(content);
    if (seen.includes(secret)) throw new Error(`it is shown: ${seen.match(/.{200}hunter2.{50}/)?.[0]}`);
  });
});
