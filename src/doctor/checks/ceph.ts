/** The cell's cluster: reached, the right one, with the pools and the room that are needed. */
import {copyOf} from '../../core/facts.ts';
import {loadBinding} from '../../rbd/binding.ts';
import type {NativeCluster} from '../../rbd/native.ts';
import {type Check, fail, ok, type Seen, warn} from '../check.ts';

/** The oldest release that cellar is tested with. */
const oldest = 'pacific';
const firstWithFormat2 = 'mimic';

type OsdDump = {
  require_osd_release: string;
  require_min_compat_client: string;
  pools: {pool_name: string; flags_names: string; application_metadata: Record<string, unknown>}[];
};

export const cephChecks: Check[] = [
  {
    id: 'ceph',
    title: "the cell's cluster answers, and is the one of `[cell] expected_fsid`",
    needs: ['config'],
    async run({cluster, settings}) {
      const {connect, expectedFsid} = settings().ceph;
      const again = `ceph -s --conf ${connect.conf} --id ${connect.user}`;
      let connected: NativeCluster;
      try {
        connected = await cluster();
      } catch (error) {
        return fail(`client.${connect.user} cannot connect by ${connect.conf}: ${(error as Error).message}`, again);
      }
      const {fsid} = connected;
      if (expectedFsid !== undefined && fsid !== expectedFsid) {
        const mend = 'set [image_store] ceph_conf to the ceph.conf of this cell, or correct [cell] expected_fsid';
        return fail(`${connect.conf} leads to the cluster ${fsid}, expected is ${expectedFsid}`, mend);
      }
      return ok(`cluster ${fsid}${expectedFsid === undefined ? '; [cell] expected_fsid is not set' : ''}`);
    },
  },
  {
    id: 'pools',
    title: 'the cache pool and the disk pools are there, for RBD, and not full',
    needs: ['ceph'],
    async run({cluster, settings}) {
      const {pool, diskPools} = settings().ceph;
      const {pools} = await osdDump(await cluster());
      return [pool, ...diskPools].map(name => {
        const found = pools.find(({pool_name}) => pool_name === name);
        if (found === undefined)
          return fail(`there is no pool ${name}`, `ceph osd pool create ${name} && rbd pool init ${name}`);
        const flags = found.flags_names.split(',');
        if (flags.includes('full') || flags.includes('full_quota'))
          return fail(`pool ${name} is full`, 'add OSDs, delete, or raise the quota: `ceph df detail`');
        if (flags.includes('nearfull') || flags.includes('backfillfull'))
          return warn(`pool ${name} is nearly full`, 'add OSDs, or delete: `ceph df detail`');
        if (!('rbd' in found.application_metadata))
          return warn(`pool ${name} is not marked as one for RBD`, `ceph osd pool application enable ${name} rbd`);
        return ok(`pool ${name} is there`);
      });
    },
  },
  {
    id: 'room',
    title: 'the cache pool has room below `[image_store] max_fill`',
    needs: ['pools'],
    async run({cell, settings}, signal) {
      const room = await cell().copies.room(signal);
      const {maxFill} = settings().limits.cache;
      if (room === undefined)
        return warn(
          'the cluster does not tell how full the pool is: max_fill is no bound',
          'ceph mgr stat; run a ceph-mgr',
        );
      const fill = room.used / (room.used + room.available || 1);
      const seen = `${percent(fill)} of the cache pool is used, ${(room.available / 1024 ** 3).toFixed(1)} GiB are left`;
      if (maxFill > 0 && fill > maxFill)
        return warn(
          `${seen}; [image_store] max_fill is ${percent(maxFill)}`,
          'cellar image list; cellar image evict ID',
        );
      return ok(seen);
    },
  },
  {
    id: 'clone-format',
    title: 'the clone format that is configured is one that the cluster lets clients have',
    needs: ['ceph'],
    async run({cluster, settings}) {
      const {require_min_compat_client: client} = await osdDump(await cluster());
      const {cloneFormat} = settings().ceph;
      const can = client >= firstWithFormat2; // release names are in alphabetical order
      if (cloneFormat === '2' && !can) {
        const mend = `ceph osd set-require-min-compat-client ${firstWithFormat2}, or [image_store] clone_format = auto`;
        return warn(
          `clone_format is 2, and the cluster lets in clients of ${client}, which cannot open such disks`,
          mend,
        );
      }
      return ok(
        `format ${cloneFormat === 'auto' ? (can ? 2 : 1) : cloneFormat}; the cluster lets in clients of ${client} and later`,
      );
    },
  },
  {
    id: 'copies',
    title: 'every copy in the cache can be cloned: it is there, and its snapshot is protected',
    needs: ['pools'],
    async run({cell}, signal) {
      const {index, disks, copies} = cell();
      const wrong: Seen[] = [];
      const entries = await index.list(signal);
      for (const entry of entries) {
        const state = await disks.parentState(copyOf(copies.pool, entry), signal);
        if (!state.clonable)
          wrong.push(
            warn(
              `the copy of image ${entry.image} cannot be cloned: ${state.why}`,
              `cellar image evict ${entry.image}`,
            ),
          );
      }
      return wrong.length > 0 ? wrong : ok(entries.length === 1 ? '1 copy' : `${entries.length} copies`);
    },
  },
  {
    id: 'ceph-version',
    title: `the cluster is of ${oldest} or later`,
    needs: ['ceph'],
    async run({cluster}) {
      const {librbd, librados} = loadBinding().versions();
      const {require_osd_release: release} = await osdDump(await cluster());
      const seen = `the OSDs are of ${release}; here is librbd ${librbd} over librados ${librados}`;
      return release < oldest ? warn(seen, `upgrade the cluster to ${oldest} or later`) : ok(seen);
    },
  },
];

async function osdDump(cluster: NativeCluster): Promise<OsdDump> {
  const {output} = await cluster.monCommand(JSON.stringify({prefix: 'osd dump', format: 'json'}));
  return JSON.parse(output.toString());
}

const percent = (part: number) => `${Math.round(part * 100)} percent`;
