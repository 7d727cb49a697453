/** Spawns as Nova does them, with a Ceph that answers in time, while base files come and go: none finds the file gone that it is about to import. */
import {join} from 'node:path';
import test from 'ava';
import {place} from './place.ts';
import {python} from './python.ts';

/**
 * nova/virt/libvirt/imagebackend.py, Image.cache and Rbd.create_image: look for the file under the lock, let it go, ask Ceph
 * whether the disk exists, import the file if it was there. ARGUMENTS: the file, the lock path. Between spawns the file is put there
 * again, as the pre-caching API does: downloaded aside, and renamed. Prints what each spawn did.
 */
const spawns = `
import os, sys, random, select, subprocess, time
from oslo_concurrency import lockutils
base, locks = os.environ['ARGUMENTS'].split('\\n')
name = os.path.basename(base)
data = os.urandom(1 << 20)
def download():
    with open(base + '.part', 'wb') as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.rename(base + '.part', base)
def spawn():
    with lockutils.lock(name, lock_file_prefix='nova-', external=True, lock_path=locks):
        there = os.path.exists(base)
    if not there:
        return 'cloned'
    time.sleep(random.random() * 0.8)
    try:
        imported = subprocess.run(['cat', base], capture_output=True)
    except Exception as e:
        return 'FAILED ' + str(e)
    return 'imported' if imported.stdout == data else 'FAILED ' + imported.stderr.decode()
download()
while not select.select([sys.stdin], [], [], 0)[0]:
    did = spawn()
    print(did, flush=True)
    if did == 'cloned':
        download()
`;

test('with a Ceph that answers in time a spawn imports the whole file or clones; it never loses the file under its hands', async t => {
  const {base, path, image, instancesPath} = await place(t, {settle: 2500});
  const nova = python(t, spawns, path, join(instancesPath, 'locks'));
  const stop = new AbortController();
  const sweeping = base.keepSweeping(stop.signal);
  const did = {imported: 0, cloned: 0};
  while (did.cloned < 3) {
    const line = await nova.line();
    if (line !== 'imported' && line !== 'cloned') {
      nova.goOn();
      stop.abort();
      return t.fail(`${line}: ${(await nova.ended).stderr}`);
    }
    did[line]++;
    await base.consider(image);
  }
  nova.goOn();
  stop.abort();
  await sweeping;
  t.true(did.imported > 0, JSON.stringify(did));
});
