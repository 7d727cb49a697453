import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {readComputeId, writeComputeId} from '../../src/nova/compute-id.ts';

const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
const other = 'bbbbbbbb-0000-4000-8000-000000000002';

function places(t: ExecutionContext) {
  const root = mkdtempSync(join(tmpdir(), 'cellar-compute-id-'));
  t.teardown(() => rmSync(root, {recursive: true, force: true}));
  for (const dir of ['etc', 'more', 'state']) mkdirSync(join(root, dir));
  const place = {configFiles: [join(root, 'etc/nova.conf'), join(root, 'more/x.conf')], statePath: join(root, 'state')};
  return {root, place, put: (dir: string, text: string) => writeFileSync(join(root, dir, 'compute_id'), text)};
}

test('no file: no identity', t => {
  t.is(readComputeId(places(t).place), undefined);
});

test('it is found beside any configuration file and in state_path, with space around it', t => {
  for (const dir of ['etc', 'more', 'state']) {
    const {place, put} = places(t);
    put(dir, ` ${uuid}\n`);
    t.is(readComputeId(place), uuid);
  }
});

test('it is read as Python reads a uuid', t => {
  const {place, put} = places(t);
  for (const text of [uuid.toUpperCase(), uuid.replaceAll('-', ''), `{${uuid}}`]) {
    put('etc', text);
    t.is(readComputeId(place), uuid);
  }
});

test('copies that agree are one identity; copies that differ are a conflict that names both', t => {
  const {root, place, put} = places(t);
  put('etc', uuid);
  put('state', `${uuid}\n`);
  t.is(readComputeId(place), uuid);
  put('more', other);
  const error = t.throws(() => readComputeId(place));
  t.like(error, {kind: 'conflict'});
  t.true(
    error.message.includes(`${root}/etc/compute_id says ${uuid}, ${root}/more/compute_id says ${other}`),
    error.message,
  );
});

test('what is no uuid, or more than one, is a conflict', t => {
  const {place, put} = places(t);
  for (const text of ['', 'compute-1', `${uuid}${other}`, uuid.slice(1)]) {
    put('state', text);
    t.like(
      t.throws(() => readComputeId(place)),
      {kind: 'conflict'},
      text,
    );
  }
});

test('it is written into state_path only, readable for Nova, and read back', t => {
  const {root, place} = places(t);
  writeComputeId(uuid, place);
  t.is(readFileSync(join(root, 'state/compute_id'), 'utf8'), uuid);
  t.is(statSync(join(root, 'state/compute_id')).mode & 0o444, 0o444);
  t.is(readComputeId(place), uuid);
  t.deepEqual(readdirSync(place.statePath), ['compute_id']);
});

test('a disk that takes no more leaves no empty file, which would keep nova-compute from starting', t => {
  const {place} = places(t);
  const program = `
    import {writeComputeId} from ${JSON.stringify(new URL('../../src/nova/compute-id.ts', import.meta.url))};
    try {
      writeComputeId('${uuid}', ${JSON.stringify(place)});
    } catch ({kind, message}) {
      process.stdout.write(kind + ': ' + message);
    }`;
  // No file may grow: as on a full disk, it can be made and not be written.
  const run = ['-c', 'ulimit -f 0; exec "$0" --input-type=module -e "$1"', process.execPath, program];
  t.regex(
    execFileSync('bash', run, {encoding: 'utf8', env: {}}),
    /^config: .*cannot be written to .*compute_id \(EFBIG\)$/,
  );
  t.deepEqual(readdirSync(place.statePath), []);
  writeFileSync(join(place.statePath, '.compute_id.new'), 'left by a crash');
  writeComputeId(uuid, place);
  t.is(readComputeId(place), uuid);
  t.deepEqual(readdirSync(place.statePath), ['compute_id']);
});

test('an existing file is never written over, nor what a link leads to', t => {
  const {root, place, put} = places(t);
  put('state', other);
  t.like(
    t.throws(() => writeComputeId(uuid, place)),
    {kind: 'conflict'},
  );
  t.is(readFileSync(join(root, 'state/compute_id'), 'utf8'), other);
  t.deepEqual(readdirSync(place.statePath), ['compute_id']);
  rmSync(join(root, 'state/compute_id'));
  symlinkSync(join(root, 'elsewhere'), join(root, 'state/compute_id'));
  t.like(
    t.throws(() => writeComputeId(uuid, place)),
    {kind: 'conflict'},
  );
  t.throws(() => statSync(join(root, 'elsewhere')), {code: 'ENOENT'});
});

test('a state_path that cannot be written to says what to write where', t => {
  const {root, place} = places(t);
  chmodSync(join(root, 'state'), 0o700);
  const gone = {...place, statePath: join(root, 'nowhere')};
  const error = t.throws(() => writeComputeId(uuid, gone));
  t.like(error, {
    kind: 'config',
    hint: `write ${uuid} into it, readable for nova-compute, or let the agent write to [DEFAULT] state_path`,
  });
});
