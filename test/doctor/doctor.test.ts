/** What the doctor says of a host in good order, and of the same host with one thing broken. */
import {randomBytes} from 'node:crypto';
import {chmodSync, mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {baseName} from '../../src/base/file.ts';
import {skewOf} from '../../src/doctor/checks/openstack.ts';
import {checks} from '../../src/doctor/checks.ts';
import type {Diagnosis} from '../../src/doctor/index.ts';
import {cellar, startAgent} from '../helpers/agent.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {run} from '../lab/run.ts';
import {openstack} from '../lab/shared.ts';
import {type Host, makeHost} from './host.ts';

let host: Host;

test.before(async t => {
  t.timeout(300_000);
  host = await makeHost();
});

test.after.always(() => host?.[Symbol.asyncDispose]());

/** Exactly these are not well, and say this. */
function finds(
  t: ExecutionContext,
  {findings, verdict}: Diagnosis,
  wanted: [string, 'warn' | 'fail', RegExp, RegExp][],
) {
  const bad = findings.filter(one => one.verdict !== 'ok');
  t.deepEqual(
    bad.map(one => [one.check, one.verdict]),
    wanted.map(([check, as]) => [check, as]),
    JSON.stringify(bad),
  );
  for (const [at, [, , seen, mend]] of wanted.entries()) {
    t.regex(bad[at]?.seen ?? '', seen);
    t.regex(bad[at]?.mend ?? '', mend);
  }
  t.is(verdict, wanted.some(([, as]) => as === 'fail') ? 'fail' : 'warn');
}

test.serial('a host in good order: all is well, exit 0, and nothing is left behind', async t => {
  const image = await openstack().uploadImage({bytes: randomBytes(100_000)});
  const fetched = await cellar(['image', 'prefetch', image.id, '--json', '--socket', host.socket]);
  t.is(fetched.code, 0, fetched.stderr);
  const before = await host.objects();
  const files = host.files.flatMap(file => ['--config-file', file]);
  const run = await cellar(['doctor', '--json', ...files]);
  const {schema, verdict, findings, skipped} = JSON.parse(run.stdout);
  const bad = findings.filter((one: {verdict: string}) => one.verdict !== 'ok');
  t.deepEqual([schema, verdict, bad, skipped, run.code], [1, 'ok', [], [], 0]);
  t.deepEqual(
    [...new Set(findings.map(({check}: {check: string}) => check))],
    checks.map(({id}) => id),
  );
  t.regex(findings.find(({check}: {check: string}) => check === 'copies').seen, /^1 copy$/);
  const left = (await host.objects()).filter(name => !before.includes(name));
  t.deepEqual(
    left.filter(name => !['rbd_children', 'rbd_trash', 'rbd_directory', 'rbd_info'].includes(name)),
    [],
  );
});

test.serial('for people: a line each, what mends it below, exit 1 for a warning and 78 for a failure', async t => {
  const more = join(host.dir, 'people.conf');
  const files = [...host.files, more].flatMap(file => ['--config-file', file]);
  writeFileSync(more, '[workarounds]\nnever_download_image_if_on_rbd = true\n');
  const warned = await cellar(['doctor', ...files]);
  t.is(warned.code, 1, warned.stdout);
  t.regex(warned.stdout, /^warn {2}fallback .* is true.*\n +remove it from nova.conf/m);
  t.regex(warned.stdout, /\n0 failures, 1 warnings\n$/);
  t.notRegex(warned.stdout, new RegExp(String.fromCharCode(27)));
  writeFileSync(more, '[libvirt]\nimages_type = qcow2\n');
  const failed = await cellar(['doctor', '-q', ...files]);
  t.is(failed.code, 78);
  t.is(failed.stdout, 'images-type\n');
});

const byConf: Record<string, [conf: () => string | Promise<string>, ...Parameters<typeof finds>[2]]> = {
  'an option that is none': [
    () => '[image_store]\nmax_sise = 3\n',
    ['config', 'fail', /\[image_store\] max_sise.*is no option/, /did you mean max_size/],
  ],
  'a pool that is not there': [
    () => `[image_store]\ndisk_pools = ${host.vms},gone\n`,
    ['pools', 'fail', /^there is no pool gone$/, /^ceph osd pool create gone && rbd pool init gone$/],
  ],
  'the cluster of another cell': [
    () => '[cell]\nexpected_fsid = 11111111-2222-3333-4444-555555555555\n',
    ['ceph', 'fail', /leads to the cluster .*expected is 11111111-/, /correct \[cell\] expected_fsid/],
  ],
  'no such cephx user': [
    () => '[image_store]\nrbd_user = nobody\n',
    ['ceph', 'fail', /^client.nobody cannot connect by /, /^ceph -s --conf .* --id nobody$/],
  ],
  'no agent': [
    () => `[agent]\nsocket = ${host.dir}/none.sock\n`,
    [
      'socket',
      'fail',
      /none.sock cannot be looked at: ENOENT/,
      /^systemctl start cellar-facade.socket cellar-agent.socket cellar-agent$/,
    ],
  ],
  'no Keystone': [
    async () => `[service_user]\nauth_url = ${await deadUrl()}/v3\n`,
    ['keystone', 'fail', /^the agent cannot log in: /, /openstack token issue.*\[service_user\]/],
  ],
  'a wrong password': [
    () => '[service_user]\npassword = s3cr3t-and-wrong\n',
    ['keystone', 'fail', /^the agent cannot log in: .*401/, /openstack token issue/],
  ],
  'no Glance': [
    async () => `[facade]\nupstream = ${await deadUrl()}\n`,
    ['glance', 'fail', /^Glance at http:\/\/127.0.0.1:\d+: .*/, /^curl -i /],
    ['clock', 'warn', /^neither Keystone nor Glance tells the time/, /timedatectl/],
  ],
  'Nova asks Glance itself': [
    () => '[glance]\nendpoint_override = http://controller:9292\n',
    ['facade', 'warn', /itself, at http:\/\/controller:9292/, /set \[glance\] endpoint_override = http:\/\/127.0.0.1:/],
  ],
  'a Nova that hangs up before it is answered': [
    () => '[glance]\ntimeout = 60\n',
    [
      'facade',
      'warn',
      /timeout = 60: answers are held for 55 s and not for hold_timeout/,
      /^remove \[glance\] timeout/,
    ],
  ],
  'the facade is off': [
    () => `[facade]\nlisten =\n[glance]\nendpoint_override = ${openstack().glanceUrl}\n`,
    ['facade', 'warn', /^the facade is off/, /set \[facade\] listen/],
  ],
  'nobody at the facade': [
    async () => {
      const url = await deadUrl();
      return `[facade]\nlisten = ${url.slice(7)}\n[glance]\nendpoint_override = ${url}\n`;
    },
    ['facade', 'fail', /^nobody answers on 127/, /systemctl restart cellar-agent/],
  ],
  'disks that are not in RBD': [
    () => '[libvirt]\nimages_type = qcow2\n',
    ['images-type', 'fail', /images_type is qcow2/, /set it to rbd/],
  ],
  'images that are not made raw': [
    () => '[DEFAULT]\nforce_raw_images = false\n',
    ['images-type', 'fail', /force_raw_images is false/, /remove it/],
  ],
  "Nova's key is not here": [
    () => '[libvirt]\nrbd_user = nobody\n',
    ['nova-caps', 'warn', /^what client.nobody may do was not tried/, /auth get client.nobody.*rbd-read-only/],
  ],
  "Nova with the agent's key": [
    () => '[libvirt]\nrbd_user = cellar\n',
    ['nova-caps', 'fail', /both use client.cellar/, /rbd_user/],
  ],
  'no spool': [
    () => `[image_store]\nspool_dir = ${host.dir}/none\n`,
    ['spool', 'warn', /\/none does not exist/, /^install -d -o nova -g nova -m 0700 .*\/none; .*ReadWritePaths=/],
  ],
  'a spool without room': [
    () => '[image_store]\nspool_size = 1000000\n',
    ['spool', 'warn', /spool_size is 1000000 GiB/, /lower spool_size/],
  ],
  'a clone format that old clients cannot read': [
    () => '[image_store]\nclone_format = 2\n',
    ['clone-format', 'warn', /cannot open such disks/, /ceph osd set-require-min-compat-client mimic/],
  ],
};

for (const [what, [conf, ...wanted]] of Object.entries(byConf)) {
  test.serial(`${what}: ${wanted[0]?.[0]}`, async t => {
    const diagnosis = await host.diagnose(await conf());
    t.false(JSON.stringify(diagnosis).includes('s3cr3t'));
    finds(t, diagnosis, wanted);
  });
}

test.serial('a keyring that everybody may read', async t => {
  const path = join(host.dir, 'agent.keyring');
  writeFileSync(path, await host.ceph.ceph('auth', 'get', 'client.cellar'), {mode: 0o644});
  finds(t, await host.diagnose(`[image_store]\nkeyring = ${path}\n`), [
    ['keyrings', 'warn', /agent\.keyring has mode 0644: everybody/, /^chmod o= \/.*agent\.keyring$/],
  ]);
  chmodSync(path, 0o640);
  t.is((await host.diagnose(`[image_store]\nkeyring = ${path}\n`)).verdict, 'ok');
});

test.serial(
  'a spool that the agent cannot use: it says so at its start, in its status, and the doctor tells',
  async t => {
    const [spool, socket, more] = ['foreign', 'foreign.sock', 'foreign.conf'].map(name => join(host.dir, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(spool, {mode: 0o700});
    await run('chown', ['nobody', spool]);
    const conf = `[image_store]\nspool_dir = ${spool}\n[agent]\nsocket = ${socket}\n`;
    writeFileSync(more, `${conf}[facade]\nlisten =\n[glance]\nendpoint_override = ${openstack().glanceUrl}\n`);
    await using agent = await startAgent([...host.files, more]);
    const line = await agent.waitForLog(({event}) => event === 'spool-unusable');
    t.is(line['level'], 50);
    t.regex(String(line['msg']), /cannot be cached: the spool .*foreign cannot be used: it belongs to another user/);
    const status = await cellar(['status', '--socket', socket]);
    t.regex(status.stdout, /^spool +down, .*foreign \(.*it belongs to another user\)$/m);
    finds(t, await host.diagnose(conf), [
      [
        'spool',
        'fail',
        /^the agent cannot use it, and converts no images: .*it belongs to another user/,
        /^install -d -o nova /,
      ],
    ]);
    await run('chown', [String(process.getuid?.()), spool]); // mended: without a restart
    const {findings} = await host.diagnose(conf);
    t.deepEqual(
      findings.filter(({check, verdict}) => check === 'spool' && verdict !== 'ok'),
      [],
    );
    t.notRegex((await cellar(['status', '--socket', socket])).stdout, /^spool/m);
  },
);

test.serial('a spool that others may look into', async t => {
  const spool = join(host.dir, 'open');
  mkdirSync(spool);
  chmodSync(spool, 0o755);
  finds(t, await host.diagnose(`[image_store]\nspool_dir = ${spool}\n`), [
    ['spool', 'warn', /open to others, mode 0755$/, /^chmod 0700 \/.*open$/],
  ]);
});

test.serial('a failure leaves out what it makes pointless, and says so', async t => {
  const {skipped} = await host.diagnose(`[agent]\nsocket = ${host.dir}/none.sock\n`);
  t.deepEqual(skipped, [{check: 'agent', because: 'socket'}]);
});

test.serial("Nova's key may write to the cache pool, or not to its own, or not read the cache", async t => {
  const {cache, vms, ceph, caps} = host;
  // never a whole line for `ceph auth caps`: it would take away what else the user has
  const replaces = '`ceph auth caps` replaces all caps, .* `ceph auth get client.nova` shows, with this change$';
  const readOnly = new RegExp(
    `^in its osd caps, put \`profile rbd-read-only pool=cache-\\w+\` in place of .*${replaces}`,
  );
  const both = new RegExp(`\`profile rbd pool=vms-\\w+\` and \`profile rbd-read-only pool=cache-\\w+\`, .*${replaces}`);
  try {
    await ceph.addUser('nova', {mon: 'profile rbd', osd: `profile rbd pool=${vms}, profile rbd pool=${cache}`});
    finds(t, await host.diagnose(), [['nova-caps', 'fail', /^client.nova can write to cache-/, readOnly]]);
    await ceph.addUser('nova', {
      mon: 'profile rbd',
      osd: `profile rbd-read-only pool=${cache}, profile rbd-read-only pool=${vms}`,
    });
    finds(t, await host.diagnose(), [
      ['nova-caps', 'fail', /^client.nova cannot make disks in vms-.*not permitted/, both],
    ]);
    await ceph.addUser('nova', {mon: 'profile rbd', osd: `profile rbd pool=${vms}`});
    finds(t, await host.diagnose(), [
      ['nova-caps', 'fail', /^client.nova cannot make disks in vms-.*not permitted/, both],
    ]);
  } finally {
    await ceph.addUser('nova', caps.nova);
  }
  t.deepEqual(
    (await host.objects()).filter(name => name.includes('cellar-doctor')),
    [],
  );
});

test.serial("the agent's key may not write to a disk pool, or to the cache pool", async t => {
  const {cache, vms, ceph, caps} = host;
  const both =
    /^its osd caps must contain `profile rbd pool=cache-\w+` and `profile rbd pool=vms-\w+`, .* replaces all caps, .* `ceph auth get client.cellar` shows/;
  try {
    await ceph.addUser('cellar', {
      mon: 'profile rbd',
      osd: `profile rbd pool=${cache}, profile rbd-read-only pool=${vms}`,
    });
    finds(t, await host.diagnose(), [['agent-caps', 'fail', /^client.cellar cannot make disks in vms-/, both]]);
    await ceph.addUser('cellar', {
      mon: 'profile rbd',
      osd: `profile rbd-read-only pool=${cache}, profile rbd pool=${vms}`,
    });
    finds(t, await host.diagnose(), [['agent-caps', 'fail', /^client.cellar cannot make copies in cache-/, both]]);
  } finally {
    await ceph.addUser('cellar', caps.cellar);
  }
});

test.serial('a password in a file that everybody can read', async t => {
  t.teardown(() => chmodSync(host.dir, 0o700));
  chmodSync(host.dir, 0o755);
  finds(t, await host.diagnose('[service_user]\ntoken = s3cr3t\n'), [
    [
      'open-files',
      'warn',
      /\/more.conf has mode 0644: everybody .* \[service_user\] token \(line 2\)$/,
      /chmod 0640 .*\/more.conf/,
    ],
  ]);
});

test.serial('a pool that is not marked for RBD', async t => {
  const {ceph, vms} = host;
  t.teardown(() => ceph.ceph('osd', 'pool', 'application', 'enable', vms, 'rbd'));
  await ceph.ceph('osd', 'pool', 'application', 'disable', vms, 'rbd', '--yes-i-really-mean-it');
  finds(t, await host.diagnose(), [
    ['pools', 'warn', /not marked/, new RegExp(`^ceph osd pool application enable ${vms} rbd$`)],
  ]);
});

test.serial('what a doctor that was killed left is removed; what a doctor at work has is not', async t => {
  const {ceph, cache, vms} = host;
  const old = `cellar-doctor-${(Date.now() - 3_600_000).toString(16)}-00000000`;
  const young = `cellar-doctor-${Date.now().toString(16)}-00000000`;
  for (const name of [old, young]) {
    await ceph.rbd('create', '--size', '4', `${cache}/${name}`);
    await ceph.rbd('snap', 'create', '--no-progress', `${cache}/${name}@probe`);
    await ceph.rbd('snap', 'protect', `${cache}/${name}@probe`);
    await ceph.rbd('clone', `${cache}/${name}@probe`, `${vms}/${name}`);
  }
  t.is((await host.diagnose()).verdict, 'ok');
  const left = async (pool: string) => JSON.parse(await ceph.rbd('ls', pool, '--format=json')) as string[];
  t.deepEqual(
    (await left(cache)).filter(name => name.startsWith('cellar-doctor')),
    [young],
  );
  t.deepEqual(await left(vms), [young]);
  await ceph.rbd('rm', '--no-progress', `${vms}/${young}`);
  await ceph.rbd('snap', 'unprotect', `${cache}/${young}@probe`);
  await ceph.rbd('snap', 'rm', '--no-progress', `${cache}/${young}@probe`);
  await ceph.rbd('rm', '--no-progress', `${cache}/${young}`);
});

test.serial('a local copy of a cached image', async t => {
  const [copy] = (await host.ceph.rbd('ls', host.cache)).split('\n');
  const directory = join(host.dir, 'others', '_base');
  mkdirSync(directory, {recursive: true});
  const path = join(directory, baseName(copy?.split('.')[0] ?? ''));
  writeFileSync(path, Buffer.alloc(8192, 1));
  const bytes = statSync(path).blocks * 512;
  finds(t, await host.diagnose(`[DEFAULT]\ninstances_path = ${host.dir}/others\n`), [
    ['base-files', 'warn', new RegExp(`^1 in ${directory}, ${bytes} bytes: ${path}$`), /journalctl -u cellar-agent/],
  ]);
});

test('how far clocks are apart is told no larger than it can be', t => {
  const date = 'Sun, 22 Nov 2026 10:00:00 GMT';
  const at = Date.parse(date);
  t.is(skewOf(date, at, at + 10), 0);
  t.is(skewOf(date, at + 900, at + 990), 0);
  t.is(skewOf(date, at + 4500, at + 4600), 3.5);
  t.is(skewOf(date, at - 4600, at - 4500), 4.5);
  t.is(skewOf(undefined, at, at), undefined);
});

test('docs/operations.md has every check', t => {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, section = ''] = /^## cellar doctor$(.*?)^## /ms.exec(text) ?? [];
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, id, title]) => [id, title]);
  t.deepEqual(
    rows,
    checks.map(({id, title}) => [id, title]),
  );
});
