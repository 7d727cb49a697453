/** Every format Glance serves, through a real Glance, qemu-img and Ceph: the disk is what the file holds, or there is none. */
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {compareDisk} from '../helpers/bytes.ts';
import {openstack} from '../lab/shared.ts';
import {answer, makePlace, type Place} from './place.ts';

const mib = 1024 * 1024;

/** What Glance calls it, and what qemu-img is told to make one. */
const converted: {diskFormat: string; args: string[]}[] = [
  {diskFormat: 'qcow2', args: ['-O', 'qcow2', '-c']},
  {diskFormat: 'vmdk', args: ['-O', 'vmdk', '-o', 'subformat=streamOptimized']},
  {diskFormat: 'vdi', args: ['-O', 'vdi']},
  {diskFormat: 'vhd', args: ['-O', 'vpc', '-o', 'force_size=on']},
  {diskFormat: 'vhdx', args: ['-O', 'vhdx']},
];

function makeRaw({dir}: Place): string {
  const raw = join(dir, 'disk.raw');
  writeFileSync(raw, Buffer.concat([randomBytes(3 * mib), Buffer.alloc(9 * mib), randomBytes(4 * mib)]));
  return raw;
}

const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, {stdio: 'ignore'});

for (const {diskFormat, args} of converted) {
  test.serial(`the disk of a ${diskFormat} image is what the file holds, and the second one is a clone`, async t => {
    await using place = await makePlace();
    const raw = makeRaw(place);
    const path = join(place.dir, `image.${diskFormat}`);
    qemuImg('convert', '-f', 'raw', ...args, raw, path);
    const image = await openstack().uploadImage({path, diskFormat});
    await using agent = await place.startAgent();
    const create = (name: string) =>
      place.cellar('disk', 'create', `${place.vms}/${name}`, '--image', image.id, '--size', '64M');

    const first = answer(t, await create('a'));
    t.is(first['outcome'], 'filled', agent.text);
    t.like(await compareDisk(place.cell.conf, `${place.vms}/a`, raw), {identical: true, size: 64 * mib});
    t.is(answer(t, await create('b'))['outcome'], 'cloned-from-cache');
    t.deepEqual(readdirSync(join(place.dir, 'spool')), [], 'the spool is empty again');
    const {parent} = first as {parent: {image: string}};
    const copy = JSON.parse(await place.cell.rbd('info', `${place.cache}/${parent.image}`, '--format=json'));
    t.is(copy.size, 16 * mib);
  });
}

test.serial(
  'a file that is not what it is declared as, or reads another file, makes no disk and leaves nothing',
  async t => {
    await using place = await makePlace();
    const {dir} = place;
    const raw = makeRaw(place);
    const [plain, backed, data] = ['plain', 'backed', 'data'].map(name => join(dir, `${name}.qcow2`)) as [
      string,
      string,
      string,
    ];
    qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, plain);
    qemuImg('create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', '-u', backed, '16M');
    qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(dir, 'outside.raw')},data_file_raw=on`, data, '16M');
    const bomb = readFileSync(plain);
    bomb.writeBigUInt64BE(1n << 52n, 24);
    const cases: [declared: string, file: Buffer, why: RegExp][] = [
      ['raw', readFileSync(plain), /but it is qcow2/],
      ['vmdk', readFileSync(plain), /but it is qcow2/],
      ['qcow2', readFileSync(backed), /backing file/],
      ['qcow2', readFileSync(data), /data file|external file/],
      ['qcow2', bomb, /at most 2199023255552 are allowed|L1 table/],
    ];
    await using _ = await place.startAgent();
    for (const [diskFormat, bytes, why] of cases) {
      const image = await openstack().uploadImage({bytes, diskFormat});
      const refused = await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id);
      t.is(refused.code, 1, refused.stderr);
      t.regex(refused.stderr, why);
    }
    t.deepEqual(await place.cacheImages(), []);
    t.deepEqual(await place.omapKeys('cellar.index'), []);
    t.deepEqual(JSON.parse(await place.cell.rbd('ls', place.vms, '--format=json')), []);
    t.deepEqual(readdirSync(dir).includes('spool') ? readdirSync(join(dir, 'spool')) : [], []);
  },
);
