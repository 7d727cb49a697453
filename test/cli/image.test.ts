/** `cellar image ...` as a user has it. */
import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {version} from '../../src/config/version.ts';
import {CellarError} from '../../src/core/errors.ts';
import {entry, image, kept, retired, secret} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {cellar, cellarOnTerminal} from './run-cli.ts';

const same = {version};
const json = (run: {stdout: string}) => JSON.parse(run.stdout);
const other = '00000000-0c1d-4a6e-9a58-0a4c7d2f6a01';

/** `cellar image ARGS` against a scripted agent. */
async function on(
  script: Partial<Agent>,
  act: (run: (...args: string[]) => ReturnType<typeof cellar>) => Promise<void>,
) {
  await withServer(script, async ({socket}) => act((...args) => cellar(['image', ...args, '--socket', socket])), same);
}

test('list: every copy with its state, use and pin, and pinned images without one; ids are those of the cached', async t => {
  const listImages = async () => ({
    copies: [entry, {...entry, image: other, pinned: false, lastUse: null}],
    retired: [retired, {...retired, quarantined: true}],
    pins: [image, 'ffffffff-0c1d-4a6e-9a58-0a4c7d2f6a01'],
  });
  await on({listImages}, async run => {
    t.is(
      (await run('list')).stdout,
      `IMAGE                                 STATE          SIZE   STORED  FORMAT  VERIFIED  PINNED  LAST USE                  CREATED                   BY
${image}  cached       20 GiB  1.2 GiB  qcow2   yes       yes     2026-11-22T08:00:00.000Z  2026-11-22T07:00:00.000Z  compute-1
${other}  cached       20 GiB  1.2 GiB  qcow2   yes       no      never                     2026-11-22T07:00:00.000Z  compute-1
${image}  retired           -    1 GiB  -       -         -       -                         -                         -
${image}  quarantined       -    1 GiB  -       -         -       -                         -                         -
ffffffff-0c1d-4a6e-9a58-0a4c7d2f6a01  not cached        -        -  -       -         yes     -                         -                         -
`,
    );
    t.is((await run('list', '-q')).stdout, `${image}\n${other}\n`);
    t.is((await run('list', '--all-cell')).stdout, (await run('list')).stdout);
  });
  await on({}, async run => {
    t.deepEqual(json(await run('list', '--json')), {schema: 1, images: kept.copies, retired: [retired], pins: [image]});
  });
});

test('show: the copy in words and as JSON', async t => {
  await on({}, async run => {
    t.deepEqual(json(await run('show', image.toUpperCase(), '--json')), entry);
    t.is(
      (await run('show', image)).stdout,
      `image        ${image}
copy         ${image}.01JD@snap
size         20 GiB, 1.2 GiB stored
made         2026-11-22T07:00:00.000Z by compute-1
last use     2026-11-22T08:00:00.000Z
pinned       yes
file         qcow2, 584 MiB, verified
file sha512  ${'ab'.repeat(64)}
disk sha512  ${'cd'.repeat(64)}
`,
    );
  });
});

test('pin, unpin and evict say what is so now', async t => {
  await on({}, async run => {
    t.is((await run('pin', image)).stdout, `${image} is pinned\n`);
    t.is((await run('pin', other)).stdout, `${other} is pinned, and has no copy yet\n`);
    t.is((await run('unpin', image)).stdout, `${image} is not pinned\n`);
    t.is((await run('evict', image)).stdout, `${image} is evicted\n`);
    t.deepEqual(await run('evict', other), {code: 0, stdout: `${other} was not cached\n`, stderr: ''});
    t.is((await run('evict', other, '-q')).stdout, '');
    t.deepEqual(json(await run('evict', image, '--json')), {schema: 1, image, evicted: true});
    t.deepEqual(json(await run('pin', image, '--json')), {schema: 1, image, pinned: true, cached: true});
  });
});

test('evicting a pinned copy is refused with what to do, and exits 1', async t => {
  const evictImage = async () => {
    throw new CellarError('conflict', `the copy of image ${image} is pinned`, {hint: `cellar image unpin ${image}`});
  };
  await on({evictImage}, async run => {
    t.deepEqual(await run('evict', image), {
      code: 1,
      stdout: '',
      stderr: `cellar: the copy of image ${image} is pinned\n  cellar image unpin ${image}\n`,
    });
  });
});

test('prefetch with a token and --pin: the image is asked for with it, and then pinned', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const run = await cellar(['image', 'prefetch', image, '--pin', '--socket', socket], {env: {OS_TOKEN: secret}});
      t.deepEqual(run, {
        code: 0,
        stdout: `${image} was cached: 584 MiB from Glance, a disk of 20 GiB, pinned\n`,
        stderr: '',
      });
      t.like(seen[0]?.args, [image, {token: secret}]);
      t.deepEqual(
        seen.map(({method}) => method),
        ['prefetchImage', 'pinImage'],
      );
    },
    same,
  );
});

test('prefetch of what is there says so; one that fails pins nothing', async t => {
  let fails = false;
  const prefetchImage: Agent['prefetchImage'] = async id => {
    if (fails) throw new CellarError('not-found', 'no such image');
    return {image: id, outcome: 'exists', size: 1024 ** 3, glanceBytes: 0};
  };
  await withServer(
    {prefetchImage},
    async ({socket, seen}) => {
      const run = (...args: string[]) => cellar(['image', 'prefetch', image, ...args, '--socket', socket]);
      t.is((await run()).stdout, `${image} is in the cache already, a disk of 1 GiB\n`);
      t.is(json(await run('--json')).outcome, 'exists');
      fails = true;
      t.is((await run('--pin')).code, 1);
      t.false(seen.some(({method}) => method === 'pinImage'));
    },
    same,
  );
});

test('verify: intact is 0; not intact is 1 and says what happened to the copy, also as JSON and with -q', async t => {
  await on({}, async run => {
    t.deepEqual(await run('verify', image), {
      code: 0,
      stdout: `${image} is intact: 20 GiB read from ${image}.01JD\n`,
      stderr: '',
    });
  });
  const verifyImage: Agent['verifyImage'] = async id => ({image: id, rbdImage: 'copy', size: 1, intact: false});
  await on({verifyImage}, async run => {
    const bad = await run('verify', image);
    t.is(bad.code, 1);
    t.regex(bad.stdout, /is NOT intact: copy differs from what was stored. It was quarantined/);
    const asJson = await run('verify', image, '--json');
    t.is(asJson.code, 1);
    t.false(json(asJson).intact);
    t.deepEqual(await run('verify', image, '-q'), {code: 1, stdout: '', stderr: ''});
  });
});

test('prefetch and verify show a bar on a terminal, and clear it', async t => {
  const step = async (onProgress: Parameters<Agent['verifyImage']>[1]['onProgress']) => {
    onProgress?.({image, received: 100 * 1024 ** 2, size: 400 * 1024 ** 2});
    await new Promise(resolve => setTimeout(resolve, 300));
  };
  const script: Partial<Agent> = {
    prefetchImage: async (id, _, {onProgress}) => {
      await step(onProgress);
      return {image: id, outcome: 'exists', size: 1, glanceBytes: 0};
    },
    verifyImage: async (id, {onProgress}) => {
      await step(onProgress);
      return {image: id, rbdImage: 'x', size: 1, intact: true};
    },
  };
  await withServer(
    script,
    async ({socket}) => {
      for (const [command, word] of [
        ['prefetch', 'filling'],
        ['verify', 'reading'],
      ] as const) {
        const run = await cellarOnTerminal(['image', command, image, '--socket', socket]);
        const text = run.stdout.replaceAll('\x1b', '␛');
        t.regex(text, new RegExp(`\\r${word} 5b9a1f0e 100/400 MiB 25%`));
        t.regex(text, new RegExp(`\\r␛\\[K${image} is in`));
      }
    },
    {version, progressInterval: 0},
  );
});
