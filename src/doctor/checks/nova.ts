/** nova.conf of this host, and what Nova has left on it. */
import {join} from 'node:path';
import {baseName, lstatIfThere} from '../../base/file.ts';
import {formatAddress} from '../../config/names.ts';
import {isOwn} from '../../daemon/own-address.ts';
import {holdOf} from '../../daemon/settings.ts';
import {exchangeText} from '../../http/exchange.ts';
import {Transport} from '../../http/transport.ts';
import {type Check, fail, ok, type Seen, warn} from '../check.ts';

const restart = 'systemctl restart nova-compute';

export const novaChecks: Check[] = [
  {
    id: 'images-type',
    title: "Nova's disks are in RBD",
    needs: ['config'],
    run({config}) {
      const type = config.get('libvirt', 'images_type');
      if (type !== 'rbd')
        return fail(
          `[libvirt] images_type is ${type}: Nova on this host clones nothing`,
          `set it to rbd in nova.conf; ${restart}`,
        );
      if (!config.get('DEFAULT', 'force_raw_images'))
        return fail(
          'force_raw_images is false: nova-compute does not start so',
          `remove it from nova.conf; ${restart}`,
        );
      return ok(`in the pool ${config.get('libvirt', 'images_rbd_pool')}`);
    },
  },
  {
    id: 'secret',
    title: "libvirt is told which secret holds the key of Nova's user",
    needs: ['config'],
    run({config}) {
      const [user, secret] = [config.get('libvirt', 'rbd_user'), config.get('libvirt', 'rbd_secret_uuid')];
      if (user === undefined)
        return warn(
          '[libvirt] rbd_user is not set: Nova is client.admin, and may write to the cache pool',
          `set it to a user of its own; ${restart}`,
        );
      if (secret === undefined)
        return warn(
          `[libvirt] rbd_secret_uuid is not set: guests cannot open their disks as client.${user}`,
          `virsh secret-list; set it in nova.conf; ${restart}`,
        );
      return ok(`client.${user}, secret ${secret}`);
    },
  },
  {
    id: 'facade',
    title: 'Nova asks the facade for images, and it answers',
    needs: ['config'],
    async run({config}, signal) {
      const listen = config.get('facade', 'listen');
      if (listen === undefined)
        return warn(
          'the facade is off: an unmodified nova-compute does not go through cellar',
          'set [facade] listen = 127.0.0.1:9292; systemctl restart cellar-agent',
        );
      const address = formatAddress(listen);
      const servers = config.get('glance', 'api_servers') ?? [];
      const override = config.get('glance', 'endpoint_override');
      const named = servers.length > 0 ? servers : override === undefined ? [] : [override];
      const others = named.filter(url => !isOwn(url, listen));
      const seen: Seen[] = [];
      if (named.length === 0 || others.length > 0) {
        const where = named.length === 0 ? 'as Keystone says' : `at ${others.join(', ')}`;
        const option = servers.length > 0 ? 'api_servers' : 'endpoint_override';
        seen.push(
          warn(
            `Nova asks Glance itself, ${where}: it does not go through cellar`,
            `set [glance] ${option} = http://${address} in nova.conf; ${restart}`,
          ),
        );
      }
      const {holdCut} = holdOf(config);
      if (holdCut !== undefined) seen.push(warn(holdCut, `remove [glance] timeout from nova.conf; ${restart}`));
      const transport = new Transport({timeout: 10});
      try {
        const {statusLine} = await exchangeText(
          transport,
          {method: 'GET', url: `http://${address}/versions`, signal},
          1 << 20,
        );
        if (seen.length === 0) seen.push(ok(`on ${address}, which answers ${statusLine}`));
      } catch (error) {
        seen.push(fail(`nobody answers on ${address}: ${(error as Error).message}`, 'systemctl restart cellar-agent'));
      } finally {
        transport.close();
      }
      return seen;
    },
  },
  {
    id: 'fallback',
    title: 'Nova may download an image that is not in the cache',
    needs: ['config'],
    run({config}) {
      if (!config.get('workarounds', 'never_download_image_if_on_rbd'))
        return ok('a spawn that finds nothing to clone downloads');
      return warn(
        '[workarounds] never_download_image_if_on_rbd is true: a spawn that finds nothing to clone is aborted, and is not tried on another host',
        `remove it from nova.conf, unless that is what you want; ${restart}`,
      );
    },
  },
  {
    id: 'base-files',
    title: 'no local copy of a cached image keeps Nova from cloning',
    needs: ['pools', 'images-type'],
    async run({config, cell}, signal) {
      const directory = join(config.get('DEFAULT', 'instances_path'), config.get('image_cache', 'subdirectory_name'));
      const left: {path: string; bytes: number}[] = [];
      for (const {image} of await cell().index.list(signal)) {
        const path = join(directory, baseName(image));
        const found = await lstatIfThere(path);
        if (found !== undefined) left.push({path, bytes: found.blocks * 512});
      }
      if (left.length === 0) return ok(`none in ${directory}`);
      const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
      const paths = left
        .slice(0, 3)
        .map(({path}) => path)
        .join(', ');
      return warn(
        `${left.length} in ${directory}, ${bytes} bytes: ${paths}${left.length > 3 ? ' and more' : ''}`,
        'the agent removes them within a minute where Nova uses the facade; if they stay: `journalctl -u cellar-agent | grep base-file` says why',
      );
    },
  },
];
