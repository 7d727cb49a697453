/** What packages enable while the setup installs them is disabled again; what was enabled before is not touched. */
import {execFileSync} from 'node:child_process';
import {lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';

const {withoutNewUnits} = await import('../../scripts/lib/units.mjs' as string);

/** A root directory with these units, none of them enabled. */
function machine(): {root: string; enable(unit: string): void; enabled(unit: string): boolean} {
  const root = mkdtempSync(join(tmpdir(), 'cellar-units-'));
  const units = join(root, 'lib/systemd/system');
  mkdirSync(units, {recursive: true});
  mkdirSync(join(root, 'etc/systemd/system'), {recursive: true});
  for (const unit of ['old.service', 'new.service', 'new.socket'])
    writeFileSync(
      join(units, unit),
      unit.endsWith('.socket')
        ? '[Socket]\nListenStream=/run/x\n[Install]\nWantedBy=sockets.target\n'
        : '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
    );
  const wants = (unit: string) =>
    join(root, `etc/systemd/system/${unit.endsWith('.socket') ? 'sockets' : 'multi-user'}.target.wants`, unit);
  return {
    root,
    enable: unit => void execFileSync('systemctl', [`--root=${root}`, 'enable', unit], {stdio: 'pipe'}),
    enabled: unit => lstatSync(wants(unit), {throwIfNoEntry: false}) !== undefined,
  };
}

test('units that were brought are disabled, also after a failure; those that were there stay', async t => {
  for (const fails of [false, true]) {
    const {root, enable, enabled} = machine();
    t.teardown(() => rmSync(root, {recursive: true}));
    enable('old.service');
    const installed = withoutNewUnits(async () => {
      enable('new.service');
      enable('new.socket');
      t.true(enabled('new.service') && enabled('new.socket'));
      if (fails) throw new Error('apt-get failed');
      return 'done';
    }, root);
    if (fails) await t.throwsAsync(installed, {message: 'apt-get failed'});
    else t.is(await installed, 'done');
    t.deepEqual(['old.service', 'new.service', 'new.socket'].map(enabled), [true, false, false]);
  }
});
