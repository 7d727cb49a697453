import {list} from './containers.ts';
import {cephKeyringDefault} from './credentials.ts';
import {address, mode, pool, uuid} from './names.ts';
import {ours, oursIfSet} from './option.ts';
import {boolean, choice, filled, integer, string} from './types.ts';

const atLeast = (min: number, max?: number) => filled(integer(max === undefined ? {min} : {min, max}));

/** cellar's own sections. */
export const cellarOptions = {
  cell: {
    name: oursIfSet(string(), {
      help: "The cell's name in Nova, for messages.",
      reason: 'Nothing on a compute host names its cell: it is known by its message bus.',
    }),
    uuid: oursIfSet(uuid(), {
      help: "The cell's uuid in Nova, as `nova-manage cell_v2 list_cells` prints it.",
      reason: 'Not set: the cell is the one whose message bus this host is on. Set, it is a claim that is checked.',
    }),
    expected_fsid: oursIfSet(uuid(), {
      help: 'The fsid of the Ceph cluster this host must find. With another one the agent serves no disks, and says both.',
      reason: 'Not set: whatever cluster the Ceph configuration leads to is taken to be the right one.',
    }),
    registration: ours(choice(['off', 'record', 'conductor', 'registrar']), {
      default: 'off',
      help: "How this host gets into its cell. `record`: the agent makes the compute node; `nova-manage cell_v2 discover_hosts` maps it. `conductor`: the agent maps it too, through the cell's conductor, which needs [api_database] for it. `registrar`: it asks the cellar-registrar at [registrar] url to map it. `off`: nova-compute and discover_hosts do it all.",
      reason: "Writing to Nova's databases is asked for, not assumed.",
    }),
    hypervisor_hostname: oursIfSet(filled(string()), {
      help: "The name of this host's hypervisor, as Nova's compute node has it.",
      reason: 'Not set: what libvirt calls the host, or its full name where libvirt does not answer.',
    }),
    journal_dir: ours(filled(string()), {
      default: '/var/lib/cellar/moves',
      help: 'Where `cellar host move` and `cellar host release` note what a host was before it left its cell: its aggregates, its compute node.',
      reason: 'Nova forgets them with the service, and a move that was interrupted goes on with them.',
    }),
  },
  image_store: {
    pool: ours(pool(), {
      default: 'cellar',
      help: "The pool of the cell's cached copies.",
      reason:
        "A pool of its own: Nova's cephx user may only read there, or `server image create` would write its snapshots into it.",
    }),
    disk_pools: ours(filled(list(pool())), {
      default: '$libvirt.images_rbd_pool',
      help: 'The pools in which the agent makes instance disks. A request for any other pool is refused.',
      reason: "Nova's pool, and no other: the agent's key may reach more than its callers should.",
    }),
    rbd_user: ours(filled(string()), {
      default: 'cellar',
      help: "The agent's cephx user, without `client.`. It needs `profile rbd` on the cache pool and on the disk pools.",
      reason: "Not Nova's user, which must not be able to write to the cache pool.",
    }),
    ceph_conf: ours(string(), {
      default: '$libvirt.images_rbd_ceph_conf',
      help: "The configuration file of the cell's Ceph; empty: librados looks in its usual places.",
      reason: 'The cluster that Nova uses on this host.',
    }),
    keyring: ours(string(), {
      default: cephKeyringDefault,
      help: "The file with the user's key; empty: as the Ceph configuration says.",
      reason:
        "A file that systemd hands over is only the agent's to read. Ceph finds /etc/ceph/ceph.client.<user>.keyring by itself.",
    }),
    connect_timeout: ours(atLeast(1), {
      default: '5',
      unit: 'seconds',
      help: 'How long connecting to the cluster may take.',
      reason: "Nova's rbd_connect_timeout: a cluster in good order answers within milliseconds.",
    }),
    osd_op_timeout: ours(atLeast(1), {
      default: '30',
      unit: 'seconds',
      help: 'How long one operation on data may take before it fails. Ceph itself would wait for ever.',
      reason: 'Longer than the about 20 s in which Ceph notices a dead OSD and the others take over.',
    }),
    mon_op_timeout: ours(atLeast(1), {
      default: '10',
      unit: 'seconds',
      help: 'How long one question to the monitors may take before it fails.',
      reason: 'Longer than an election among the monitors, which takes about 5 s.',
    }),
    clone_format: ours(choice(['auto', '1', '2']), {
      default: 'auto',
      help: 'How disks are cloned. `1` needs a protected parent and every client can read it; `2` needs none, and clients of Mimic or later.',
      reason: '`auto` lets the cluster decide, by its min_compat_client, as `rbd clone` does.',
    }),
    fill_in_flight: ours(atLeast(1, 256), {
      default: '8',
      reload: true,
      help: "Writes to the cluster that a fill keeps in flight. Each holds up to 8 MiB of memory: a RADOS object of 4 MiB, and librbd's copy of it.",
      reason:
        'Faster than an image can be hashed while the cluster takes 4 MiB in less than 40 ms, and `qemu-img convert` has as many. More helps where writes take longer.',
    }),
    max_disk_size: ours(atLeast(1), {
      default: '2048',
      unit: 'GiB',
      reload: true,
      help: 'The largest disk that an image may have. A larger one is refused before a byte is written.',
      reason: 'A few bytes of a qcow2 file can declare a disk of any size; no image is meant to be larger than this.',
    }),
    spool_dir: ours(filled(string()), {
      default: '/var/lib/cellar/spool',
      help: "Where images wait that are converted (all formats but raw and ISO). It must be the agent's own.",
      reason:
        'Such a file must be whole before its disk can be read. Raw images and ISO never touch the disk of this host.',
    }),
    spool_size: ours(atLeast(1), {
      default: '64',
      unit: 'GiB',
      help: 'The room that all files in the spool may take together. Without room a request fails, and may be tried again.',
      reason: 'Several large images at once; a compressed file is smaller than its disk.',
    }),
    convert_cpu_time: ours(atLeast(1), {
      default: '3600',
      unit: 'seconds',
      reload: true,
      help: 'The processor time that converting one image may take.',
      reason: 'As long as a fill may take; a file made to be slow ends there.',
    }),
    convert_memory: ours(atLeast(1024), {
      default: '2048',
      unit: 'MiB',
      reload: true,
      help: 'The address space that converting one image may take.',
      reason: "librbd's threads take more than half a GiB of it; Nova gives qemu-img as much.",
    }),
    fill_lease: ours(atLeast(5), {
      default: '30',
      unit: 'seconds',
      help: 'How long the lease of a fill holds without renewal. A dead filler delays the others by at most this.',
      reason: 'As long as osd_op_timeout: one slow operation does not lose it. Below 5 s a pause of the process would.',
    }),
    fill_timeout: ours(atLeast(0), {
      default: '3600',
      unit: 'seconds',
      reload: true,
      help: 'How long one fill may take in all; 0: as long as bytes keep coming.',
      reason: 'An hour carries 360 GB at 100 MB/s; what takes longer is more likely stuck than large.',
    }),
    fill_stall_timeout: ours(atLeast(1), {
      default: '60',
      unit: 'seconds',
      help: 'A fill that has got no byte from Glance for so long is given up.',
      reason: "Longer than a failover of a load balancer or of Glance's own Ceph, shorter than anybody's patience.",
    }),
    wait_timeout: ours(atLeast(1), {
      default: '3600',
      unit: 'seconds',
      reload: true,
      help: "How long a request waits for somebody else's fill of its image.",
      reason: 'As long as a fill may take: giving up earlier would only start the wait again.',
    }),
    max_size: ours(atLeast(0), {
      default: '0',
      unit: 'GiB',
      reload: true,
      help: "How much the cell's copies may take in the pool, holes not counted; 0: no bound. What was used least recently is evicted first; pinned copies stay. Evicted copies that still have clones are not counted.",
      reason: 'max_fill is the bound that protects the cluster; this one is for a pool that is shared.',
    }),
    max_fill: ours(atLeast(0, 100), {
      default: '80',
      unit: 'percent',
      reload: true,
      help: 'How full the cache pool may be, as `ceph df` says of it, before copies are evicted; 0: no bound. Without a ceph-mgr, which keeps the statistics of pools, there is no bound.',
      reason: 'Below the 85 percent at which Ceph begins to warn.',
    }),
    max_idle: ours(atLeast(0), {
      default: '0',
      unit: 'seconds',
      reload: true,
      help: 'A copy that no disk was cloned from for so long is evicted; 0: never for its age. Use is told to the cell every janitor_interval: smaller values evict what is in use.',
      reason: 'A copy costs space only, and max_fill looks after that.',
    }),
    evict_grace: ours(atLeast(60), {
      default: '300',
      unit: 'seconds',
      reload: true,
      help: 'How long an evicted copy stays in the pool at least, for clones that were begun before. It stays as long as it has clones.',
      reason: 'A clone takes less than a second, or as long as its operations may: osd_op_timeout, a few times.',
    }),
    janitor_interval: ours(atLeast(10), {
      default: '300',
      unit: 'seconds',
      reload: true,
      help: 'How often leftovers of dead agents, copies over the limits and evicted copies without clones are looked for. One agent does it for its cell; when it dies another takes over.',
      reason: 'What is left behind costs space only.',
    }),
    deleted_check_interval: ours(atLeast(0), {
      default: '3600',
      unit: 'seconds',
      reload: true,
      help: 'How often Glance is asked about each image of the cache, in the janitor’s rounds, whether it still has it. Who asks for a deleted image gets no disk of it in any case.',
      reason:
        'The copy of a deleted image costs space only. In every round it would be most of what the Glance of many cells hears.',
    }),
    disk_busy_timeout: ours(atLeast(0), {
      default: '35',
      unit: 'seconds',
      help: 'How long to wait for the watch of a dead client on a disk that must be repaired or removed.',
      reason: 'Ceph drops the watch of a dead client after 30 s.',
    }),
  },
  agent: {
    socket: ours(filled(string()), {
      default: '/run/cellar/cellar.sock',
      help: "The unix socket of the agent's API.",
      reason: 'Where the packaged cellar-agent.socket listens.',
    }),
    socket_mode: ours(mode(), {
      default: '0660',
      help: 'The permissions of the socket.',
      reason: 'Owner and group; whoever can connect can have disks made and removed.',
    }),
    metrics_listen: ours(address(), {
      default: '',
      help: 'Where metrics are served to Prometheus over TCP, as GET /metrics, such as 127.0.0.1:9298. Empty: only on the socket of the API.',
      reason:
        'Whoever reaches the address reads them: how much this host does and how well, and no name of an image or a project.',
    }),
    log_level: ours(choice(['debug', 'info', 'warn', 'error']), {
      default: 'info',
      reload: true,
      help: 'What is logged, and everything more severe.',
      reason: 'One line for each disk and each fill.',
    }),
    request_timeout: ours(atLeast(1), {
      default: '3900',
      unit: 'seconds',
      reload: true,
      help: 'How long one request of the API may take in all.',
      reason: 'A fill of the longest kind and five minutes for what comes before and after it.',
    }),
    auth_section: ours(filled(string()), {
      default: 'service_user',
      help: 'The section with the login of the agent at Keystone.',
      reason: "Nova's service user has the service role that Glance asks for.",
    }),
    shutdown_timeout: ours(atLeast(0), {
      default: '30',
      unit: 'seconds',
      reload: true,
      help: 'How long the agent lets requests finish when it is told to stop. Fills are given up at once; another host goes on.',
      reason: 'A clone takes seconds. systemd is asked for this and 90 s more, for what then is to be cleaned up.',
    }),
  },
  facade: {
    listen: ours(address(), {
      default: '',
      help: "Where the agent serves Glance to an unmodified nova-compute, such as 127.0.0.1:9292; Nova's `[glance] endpoint_override` is then http:// and this address. Empty: nowhere.",
      reason:
        'Who uses the API or the command line needs none. Whoever reaches the address reaches Glance, so it is one of this host.',
    }),
    upstream: ours(list(string()), {
      default: '',
      help: "URLs of the real Glance, tried in random order. Empty: what [glance] says beside the facade's own address, else the service catalogue.",
      reason: 'The catalogue knows it, and needs the login of [service_user] to be asked.',
    }),
    hold_timeout: ours(atLeast(0), {
      default: '1800',
      unit: 'seconds',
      reload: true,
      help: 'How long Nova waits for an image to get into the cache, and for Keystone, Glance and Ceph to say what there is of it (two seconds at least). Then it is told nothing of it and downloads the image itself, and the fill goes on. Less where `[glance] timeout` of nova.conf is shorter.',
      reason: 'Nova waits as long as it takes; a download of its own would take longer than what is left of the fill.',
    }),
    remove_base_files: ours(boolean(), {
      default: 'true',
      help: "Whether Nova's local copies of images that the cell has a copy of are removed, where Nova uses the facade and its images_type is `rbd`.",
      reason: 'As long as there is one, Nova imports it into every new disk on this host and clones nothing.',
    }),
    max_connections: ours(atLeast(1), {
      default: '256',
      help: 'Connections that are served at once; more are closed.',
      reason: 'A nova-compute has about one for each build, of which it runs ten.',
    }),
  },
};
