import {createHash, randomBytes} from 'node:crypto';
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {firstHost} from '../lab/nova/nova.ts';
import {novaLab} from '../lab/nova/shared.ts';
import {openstack} from '../lab/shared.ts';

const megabyte = 1 << 20;

test('an unmodified nova-compute downloads an image to its own disk and copies it into the cell', async t => {
  const nova = novaLab();
  const os = openstack();
  const cell = nova.cluster('cell1');
  const compute = nova.compute(firstHost);
  const dir = mkdtempSync(join(tmpdir(), 'stock-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const bytes = randomBytes(64 * megabyte);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));

  const mark = os.glanceMark();
  const server = await nova.server.create({image: image.id, host: firstHost});
  t.like(server, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': firstHost}, server.fault?.message);
  t.regex(await compute.virsh('domstate', server['OS-EXT-SRV-ATTR:instance_name']), /running/);

  const disk = `vms/${server.id}_disk`;
  const copy = join(dir, 'disk');
  await cell.rbd('export', '--no-progress', disk, copy);
  t.is(statSync(copy).size, 1024 * megabyte); // the flavor's
  t.true(readFileSync(copy).subarray(0, bytes.length).equals(bytes));
  t.false('parent' in JSON.parse(await cell.rbd('info', '--format', 'json', disk)));

  t.true(existsSync(join(compute.instancesPath, '_base', createHash('sha1').update(image.id).digest('hex'))));
  const downloads = (await os.glanceRequests(mark)).filter(({path}) => path === `/v2/images/${image.id}/file`);
  t.like(downloads, [{method: 'GET', status: 200}]);
  t.is(downloads.length, 1);

  await nova.server.delete(server.id);
  await t.throwsAsync(cell.rbd('info', disk), {message: /No such file/});
  t.false((await compute.virsh('list', '--all', '--name')).includes(server['OS-EXT-SRV-ATTR:instance_name']));
});
