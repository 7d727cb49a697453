import {join} from 'node:path';
import test from 'ava';
import {compareDisk, writeImage} from '../helpers/bytes.ts';
import {lab, openstack} from '../lab/shared.ts';
import {answer, makePlace} from './place.ts';

const mib = 1024 * 1024;

test.serial(
  'the first disk is filled, the second cloned from the cache, and both are the image byte for byte',
  async t => {
    await using place = await makePlace();
    const glance = openstack();
    const path = join(place.dir, 'image.raw');
    await writeImage(path, 49 * mib + 4097, 20 * mib); // no multiple of an object, nor of a sector
    const image = await glance.uploadImage({path});
    await using _ = await place.startAgent();

    const first = answer(
      t,
      await place.cellar('disk', 'create', `${place.vms}/a`, '--image', image.id, '--size', '1G'),
    );
    t.is(first['outcome'], 'filled');
    t.is(first['glanceBytes'], image.size);
    t.is(first['size'], 1024 * mib);
    const sent = await glance.glanceBytes(image.id);

    const second = answer(t, await place.cellar('disk', 'create', `${place.vms}/b`, '--image', image.id));
    t.is(second['outcome'], 'cloned-from-cache');
    t.is(second['size'], image.size);
    t.deepEqual(second['parent'], first['parent']);
    t.is(await glance.glanceBytes(image.id), sent, 'no byte more left Glance');

    const again = answer(
      t,
      await place.cellar('disk', 'create', `${place.vms}/a`, '--image', image.id, '--size', '1G'),
    );
    t.is(again['outcome'], 'exists');

    for (const name of ['a', 'b'])
      t.like(await compareDisk(place.cell.conf, `${place.vms}/${name}`, path), {identical: true});
    t.deepEqual(await place.omapKeys('cellar.index'), [image.id]);
    t.deepEqual(await place.omapKeys('cellar.disks'), [], 'no intent is left');
    const {parent} = first as {parent: {pool: string; image: string; snapshot: string}};
    const info = JSON.parse(await place.cell.rbd('info', `${place.vms}/b`, '--format=json'));
    t.like(info.parent, {pool: parent.pool, image: parent.image, snapshot: parent.snapshot});
    const used = JSON.parse(await place.cell.rbd('du', `${place.cache}/${parent.image}`, '--format=json'));
    t.true(used.images[0].used_size <= 28 * mib, `zeros were not written: ${used.images[0].used_size}`);
  },
);

test.serial(
  "an image with a location in the cell's own cluster is cloned from there, and nothing is cached",
  async t => {
    await using place = await makePlace();
    const {cell} = place;
    const path = join(place.dir, 'near.raw');
    await writeImage(path, 16 * mib, 8 * mib);
    const glance = openstack();
    const image = await glance.uploadImage({path});
    await cell.rbd('import', '--no-progress', path, `images/${image.id}`);
    await cell.rbd('snap', 'create', '--no-progress', `images/${image.id}@snap`);
    await cell.rbd('snap', 'protect', `images/${image.id}@snap`);
    await glance.addLocation(image.id, `rbd://${cell.fsid}/images/${image.id}/snap`);
    await using _ = await place.startAgent();

    const disk = answer(t, await place.cellar('disk', 'create', `${place.vms}/near`, '--image', image.id));
    t.is(disk['outcome'], 'cloned');
    t.deepEqual(disk['parent'], {pool: 'images', image: image.id, snapshot: 'snap'});
    t.deepEqual(
      (disk['roads'] as {road: string; taken: boolean}[]).map(({road, taken}) => [road, taken]),
      [
        ['location', false],
        ['location', true],
      ],
    );
    t.like(await compareDisk(cell.conf, `${place.vms}/near`, path), {identical: true});
    t.is(await glance.glanceBytes(image.id), 0);
    t.deepEqual(await place.cacheImages(), []);
  },
);

test.serial('a token that cannot read the image gets not-found and no disk, though the copy is cached', async t => {
  await using place = await makePlace();
  const glance = openstack();
  const [owner, other] = [
    await glance.createProject(`owner-${place.cache}`),
    await glance.createProject(`other-${place.cache}`),
  ];
  const image = await glance.uploadImage({
    bytes: Buffer.alloc(5 * mib, 'private'),
    visibility: 'private',
    token: await glance.token(owner),
  });
  await using agent = await place.startAgent();
  const create = async (name: string, account: typeof owner) => {
    const {cellar} = await import('../helpers/agent.ts');
    const args = ['disk', 'create', `${place.vms}/${name}`, '--image', image.id, '--json', '--socket', place.socket];
    return cellar(args, {OS_TOKEN: await glance.token(account)});
  };

  t.is(answer(t, await create('mine', owner))['outcome'], 'filled');
  const refused = await create('theirs', other);
  t.is(refused.code, 1, refused.stdout);
  t.regex(refused.stderr, new RegExp(image.id));
  await t.throwsAsync(place.cell.rbd('info', `${place.vms}/theirs`), {message: /No such file/});
  t.deepEqual(JSON.parse(await place.cell.rbd('ls', place.vms, '--format=json')), ['mine']);
  for (const account of [owner, other]) {
    const token = await glance.token(account);
    t.false(agent.text.includes(token), 'a token is in the log');
    t.false(refused.stderr.includes(token));
  }
  t.false(agent.text.includes(lab().password), 'a password is in the log');
});

test.serial(
  'an image that is not active, not raw, or larger than the disk asked for is refused with the reason, and nothing is made',
  async t => {
    await using place = await makePlace();
    const glance = openstack();
    await using _ = await place.startAgent();
    const create = (id: string, ...more: string[]) =>
      place.cellar('disk', 'create', `${place.vms}/d`, '--image', id, ...more);
    const raw = await glance.uploadImage({bytes: Buffer.alloc(2 * mib, 1)});
    const qcow2 = await glance.uploadImage({bytes: Buffer.alloc(mib, 2), diskFormat: 'qcow2'}); // and it is not

    const small = await create(raw.id, '--size', '1M');
    t.is(small.code, 1);
    t.regex(small.stderr, /2097152 bytes, 1048576 were asked for/);
    const format = await create(qcow2.id);
    t.is(format.code, 1);
    t.regex(format.stderr, /disk_format is qcow2, but it is not/);
    const headers = {'X-Auth-Token': await glance.token(glance.admin)};
    await fetch(`${glance.glanceUrl}/v2/images/${raw.id}/actions/deactivate`, {method: 'POST', headers});
    const deactivated = await create(raw.id);
    t.is(deactivated.code, 1);
    t.regex(deactivated.stderr, /its status is deactivated, not active/);
    const unknown = await create('00000000-0000-4000-8000-000000000000');
    t.is(unknown.code, 1);
    t.deepEqual(JSON.parse(await place.cell.rbd('ls', place.vms, '--format=json')), []);
    t.deepEqual(await place.cacheImages(), []);
    t.deepEqual(await place.omapKeys('cellar.index'), []);
  },
);
