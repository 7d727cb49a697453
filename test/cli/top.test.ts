import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {version} from '../../src/config/version.ts';
import {CellarError} from '../../src/core/errors.ts';
import {image} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {cellar, cellarOnTerminal, type RunOptions} from './run-cli.ts';

const mib = 1024 ** 2;
const same = {version};
const fill = {
  image,
  generation: '01JD',
  state: 'filling' as const,
  host: 'compute-2',
  received: 300 * mib,
  size: 600 * mib,
};
const left = {image, generation: '01JE', state: 'left' as const, host: null, received: null, size: null};
const visible = (text: string) => text.replaceAll('\x1b', '␛');

/** Types the key once the screen was drawn so many times. */
const typing = (key: string, looks: number): Pick<RunOptions, 'open' | 'meanwhile'> => ({
  open: true,
  meanwhile: child => {
    let shown = '';
    child.stdout.on('data', chunk => {
      const before = shown.split('(q ends)').length;
      shown += chunk;
      if (before <= looks && shown.split('(q ends)').length > looks) child.stdin.write(key);
    });
  },
});

test('without a terminal: one look, as text, JSON or ids', async t => {
  await withServer(
    {fills: async () => [fill, left]},
    async ({socket}) => {
      const run = await cellar(['top', '--socket', socket]);
      t.is(run.code, 0);
      t.is(
        run.stdout,
        `IMAGE                                 HOST       PROGRESS              SIZE  MIB/S  LEFT
${image}  compute-2  [#####.....]  50%  600 MiB      -     -
${image}  nobody     -                        -      -     -
`,
      );
      t.deepEqual(JSON.parse((await cellar(['top', '--json', '--socket', socket])).stdout), {
        schema: 1,
        fills: [fill, left],
      });
      t.is((await cellar(['top', '-q', '--socket', socket])).stdout, `${image}\n${image}\n`);
    },
    same,
  );
  await withServer(
    {fills: async () => []},
    async ({socket}) => {
      t.is((await cellar(['top', '--socket', socket])).stdout, 'no fill is under way in the cell\n');
    },
    same,
  );
});

test('on a terminal it is drawn again and again, with the rate, until q; then the screen is as before', async t => {
  let looks = 0;
  const fills: Agent['fills'] = async () => [{...fill, received: 100 * mib * Math.min(++looks, 5)}];
  await withServer(
    {fills},
    async ({socket}) => {
      const run = await cellarOnTerminal(['top', '--interval', '1s', '--socket', socket], typing('q', 3));
      t.is(run.code, 0);
      const shown = visible(run.stdout);
      t.true(shown.startsWith('␛[?1049h␛[?25l'), shown);
      t.true(shown.trimEnd().endsWith('␛[?25h␛[?1049l'), shown);
      t.regex(shown, /1 fill in the cell {2}\(q ends\)/);
      t.regex(shown, /compute-2 +\[#\.+\] +16% +600 MiB +- +-␛/);
      t.regex(shown, /compute-2 +\[#{5}\.+\] +50% +600 MiB +\d+\.\d +0:\d\d␛/);
    },
    same,
  );
});

test('Ctrl-C ends it too, and an agent that goes away is told on a screen as before', async t => {
  await withServer(
    {fills: async () => [fill]},
    async ({socket}) => {
      const run = await cellarOnTerminal(['top', '--socket', socket], typing('\x03', 1));
      t.is(run.code, 0);
      t.true(visible(run.stdout).trimEnd().endsWith('␛[?25h␛[?1049l'));
    },
    same,
  );
  let looks = 0;
  const fills: Agent['fills'] = async () => {
    if (++looks > 1) throw new CellarError('unavailable', 'Ceph\x1b is down');
    return [fill];
  };
  await withServer(
    {fills},
    async ({socket}) => {
      const options = {open: true, env: {NO_COLOR: '1'}};
      const run = await cellarOnTerminal(['top', '--interval', '1s', '--socket', socket], options);
      t.is(run.code, 75);
      t.regex(visible(run.stdout), /␛\[\?25h␛\[\?1049lcellar: Ceph\? is down\r\n$/);
    },
    same,
  );
});
