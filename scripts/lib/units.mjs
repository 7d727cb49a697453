/** systemd's units that packages bring: Debian enables them, and a machine for tests is not to boot into them. */
import {spawnSync} from 'node:child_process';
import {run, say} from './steps.mjs';

/**
 * Runs `act`, and disables the services and sockets that were not enabled before it, also when it fails. Those that were are left
 * alone. Where there is no systemd nothing is enabled.
 */
export async function withoutNewUnits(act, root = '/') {
  const before = enabledUnits(root);
  try {
    return await act();
  } finally {
    const brought = before === undefined ? [] : (enabledUnits(root) ?? []).filter(unit => !before.includes(unit));
    if (brought.length > 0) {
      say(`disabling what the packages would start at boot: ${brought.join(' ')}`);
      await run('systemctl', [...at(root), 'disable', ...brought]);
    }
  }
}

/** undefined: this machine has no systemctl, or it cannot say. */
function enabledUnits(root) {
  const args = [
    ...at(root),
    'list-unit-files',
    '--type=service,socket',
    '--state=enabled',
    '--no-legend',
    '--no-pager',
  ];
  const {status, stdout, error} = spawnSync('systemctl', args, {encoding: 'utf8'});
  if (error || status !== 0) return undefined;
  return stdout.split('\n').flatMap(line => line.split(/\s+/).slice(0, 1).filter(Boolean));
}

const at = root => (root === '/' ? [] : [`--root=${root}`]);
