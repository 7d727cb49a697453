/** Who may read the keys of the agent and of Nova. */
import {stat} from 'node:fs/promises';
import {type Check, ok, warn} from '../check.ts';

export const keyringsCheck: Check = {
  id: 'keyrings',
  title: 'not everybody on this host may read the keyrings of the agent and of Nova',
  needs: ['config'],
  async run({config, nova}) {
    const own = config.get('image_store', 'keyring') || usual(config.get('image_store', 'rbd_user'));
    const paths = [...new Set([own, usual(nova.user)])];
    const found = await Promise.all(paths.map(async path => ({path, mode: await modeOf(path)})));
    const there = found.filter(({mode}) => mode !== undefined).map(({path}) => path);
    const open = found.filter(({mode = 0}) => mode & 0o007);
    if (open.length > 0)
      return open.map(({path, mode = 0}) => {
        const seen = `${path} has mode ${mode.toString(8).padStart(4, '0')}: everybody on this host may use its key`;
        return warn(seen, `chmod o= ${path}`);
      });
    return ok(there.join(', ') || `none at ${paths.join(', ')}`);
  },
};

/** Where librados looks first. */
const usual = (user: string) => `/etc/ceph/ceph.client.${user}.keyring`;

const modeOf = (path: string) =>
  stat(path).then(
    ({mode}) => mode & 0o777,
    () => undefined,
  );
