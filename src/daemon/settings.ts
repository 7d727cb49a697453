import type {BasePlace} from '../base/sweep.ts';
import type {CellarConfig} from '../config/load.ts';
import {type Address, formatAddress} from '../config/names.ts';
import {problemsError} from '../config/problem.ts';
import type {ConverterOptions} from '../convert/converter.ts';
import {convertLimits} from '../convert/limits.ts';
import {CellarError} from '../core/errors.ts';
import type {Limits} from '../core/world.ts';
import type {GlanceOptions} from '../glance/client.ts';
import type {ConnectOptions} from '../rbd/native.ts';
import {type Login, loginOptions} from './login.ts';
import {isOwn} from './own-address.ts';
import {type RegistrationSettings, registrationSettings} from './registration.ts';

/** What the configuration means to the parts, in their own words and units (ms). */
export type Settings = {
  host: string;
  cell: string | undefined;
  socket: {path: string; mode: number};
  /** Where metrics are served over TCP. */
  metricsListen: Address | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  requestTimeout: number;
  shutdownTimeout: number;
  ceph: {
    connect: ConnectOptions;
    expectedFsid: string | undefined;
    pool: string;
    diskPools: string[];
    cloneFormat: 'auto' | '1' | '2';
    leaseDuration: number;
    busyTimeout: number;
  };
  glance: GlanceOptions;
  /** undefined: Nova on this host is not served. */
  facade: FacadeSettings | undefined;
  /** undefined: Nova's local copies of images are left alone. */
  baseFiles: (BasePlace & {settle: number}) | undefined;
  converter: Omit<ConverterOptions, 'hasher'>;
  keystone: Login | undefined;
  limits: Limits;
  /** undefined: this host is registered by others. */
  registration: RegistrationSettings | undefined;
};

export type FacadeSettings = {
  listen: Address;
  hold: number;
  /** Why that is not hold_timeout, if so. */
  holdCut?: string;
  maxConnections: number;
  /** Why nothing is offered on this host, if so. */
  offersNothing?: string;
};

const second = 1000;
/** ms. A timer of Node that is set to 2^31 or more fires at once, and some of ours are stretched. */
const longestTimer = 2 ** 30;
/** For what a timer waits for: 12 days are as good as for ever. */
const timer = (seconds: number): number => Math.min(seconds * second, longestTimer);
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** Reads every setting. Fails with one `config` error that tells all that is wrong. */
export function readSettings(config: CellarConfig): Settings {
  const problems = config.check();
  if (problems.length > 0) throw problemsError(problems);
  const {get} = config;
  const pool = get('image_store', 'pool');
  const diskPools = get('image_store', 'disk_pools');
  if (diskPools.includes(pool)) {
    throw new CellarError('config', `[image_store] disk_pools names the cache pool ${pool}`, {
      hint: "the cache needs a pool of its own: Nova's user may only read there",
    });
  }
  const keystone = loginOptions(config, config.get('agent', 'auth_section'));
  return {
    host: get('DEFAULT', 'host'),
    cell: get('cell', 'name') ?? get('cell', 'uuid'),
    socket: {path: get('agent', 'socket'), mode: get('agent', 'socket_mode')},
    metricsListen: get('agent', 'metrics_listen'),
    logLevel: get('agent', 'log_level'),
    requestTimeout: timer(get('agent', 'request_timeout')),
    shutdownTimeout: timer(get('agent', 'shutdown_timeout')),
    ceph: {
      connect: connectOptions(config),
      expectedFsid: get('cell', 'expected_fsid'),
      pool,
      diskPools,
      cloneFormat: get('image_store', 'clone_format'),
      leaseDuration: get('image_store', 'fill_lease') * second,
      busyTimeout: get('image_store', 'disk_busy_timeout') * second,
    },
    glance: {...glanceOptions(config), ...glanceAddress(config, keystone !== undefined)},
    facade: facadeSettings(config),
    baseFiles: baseFiles(config),
    converter: converterOptions(config),
    keystone,
    limits: limitsOf(config),
    registration: registrationSettings(config, keystone !== undefined),
  };
}

/** The part that SIGHUP may change while the agent runs. */
export function limitsOf({get}: CellarConfig): Limits {
  return {
    fillInFlight: get('image_store', 'fill_in_flight'),
    fillTimeout: timer(get('image_store', 'fill_timeout') || Number.POSITIVE_INFINITY),
    waitTimeout: timer(get('image_store', 'wait_timeout')),
    waitPoll: second,
    cleanUpTimeout: 60 * second,
    intentStale: 600 * second,
    tornSettle: second,
    maxDisk: get('image_store', 'max_disk_size') * GiB,
    cache: {
      maxBytes: get('image_store', 'max_size') * GiB,
      maxFill: get('image_store', 'max_fill') / 100,
      maxIdle: get('image_store', 'max_idle') * second,
    },
    evictGrace: get('image_store', 'evict_grace') * second,
    janitorInterval: timer(get('image_store', 'janitor_interval')),
    deletedCheckInterval: get('image_store', 'deleted_check_interval') * second,
  };
}

function connectOptions({get}: CellarConfig): ConnectOptions {
  const keyring = get('image_store', 'keyring');
  return {
    user: get('image_store', 'rbd_user'),
    conf: get('image_store', 'ceph_conf') || '/etc/ceph/ceph.conf',
    clientMountTimeoutMs: get('image_store', 'connect_timeout') * second,
    osdOpTimeoutMs: get('image_store', 'osd_op_timeout') * second,
    monOpTimeoutMs: get('image_store', 'mon_op_timeout') * second,
    ...(keyring !== '' && {options: {keyring}}),
  };
}

/** qemu-img reaches the cache pool as the agent does. */
function converterOptions({get}: CellarConfig): Omit<ConverterOptions, 'hasher'> {
  const fillTimeout = get('image_store', 'fill_timeout');
  return {
    directory: get('image_store', 'spool_dir'),
    limit: get('image_store', 'spool_size') * GiB,
    target: {
      pool: get('image_store', 'pool'),
      user: get('image_store', 'rbd_user'),
      conf: get('image_store', 'ceph_conf') || '/etc/ceph/ceph.conf',
      keyring: get('image_store', 'keyring'),
      connectTimeout: get('image_store', 'connect_timeout'),
      osdOpTimeout: get('image_store', 'osd_op_timeout'),
      monOpTimeout: get('image_store', 'mon_op_timeout'),
    },
    limits: {
      ...convertLimits,
      addressSpace: get('image_store', 'convert_memory') * MiB,
      cpuSeconds: get('image_store', 'convert_cpu_time'),
      timeout: timer(fillTimeout || Number.POSITIVE_INFINITY),
    },
  };
}

/** A Nova whose disks are not in RBD downloads, and aborts the build when what it was told is raw is not. */
function facadeSettings(config: CellarConfig): FacadeSettings | undefined {
  const {get} = config;
  const listen = get('facade', 'listen');
  if (listen === undefined) return undefined;
  const type = get('libvirt', 'images_type');
  return {
    listen,
    ...holdOf(config),
    maxConnections: get('facade', 'max_connections'),
    ...(type !== 'rbd' &&
      servesNova(config) && {offersNothing: `[libvirt] images_type is ${type}: Nova on this host clones nothing`}),
  };
}

/**
 * How long an answer is held, in ms. A Nova with a timeout of its own hangs up after that, and asks anew: the fill that it left would
 * begin from its first byte each time. So it is answered before, and downloads the image while the fill goes on.
 */
export function holdOf(config: CellarConfig): Pick<FacadeSettings, 'hold' | 'holdCut'> {
  const wanted = timer(config.get('facade', 'hold_timeout'));
  const timeout = config.get('glance', 'timeout') ?? 0;
  if (timeout <= 0 || !asksUs(config, 'some')) return {hold: wanted};
  const longest = timer(timeout - Math.min(5, timeout / 2));
  if (wanted <= longest) return {hold: wanted};
  const seconds = longest / second;
  const holdCut = `Nova hangs up after [glance] timeout = ${timeout}: answers are held for ${seconds} s and not for hold_timeout, and images whose fill takes longer are downloaded by Nova`;
  return {hold: longest, holdCut};
}

/**
 * Only where a Nova without its local copy clones: its disks are in RBD, and what it asks Glance it asks us. On a host with local
 * disks these files are what the disks are overlays of.
 */
function baseFiles(config: CellarConfig): Settings['baseFiles'] {
  const {get} = config;
  if (!get('facade', 'remove_base_files') || get('libvirt', 'images_type') !== 'rbd' || !servesNova(config))
    return undefined;
  const connect = get('libvirt', 'rbd_connect_timeout') ?? 5; // 0 or less: Nova sets no limit
  return {
    instancesPath: get('DEFAULT', 'instances_path'),
    subdirectory: get('image_cache', 'subdirectory_name'),
    // Between its look at the file and its use Nova connects to Ceph. A spawn waits for as long, if it comes meanwhile.
    settle: (connect > 0 ? Math.min(Math.max(5, 2 * connect), 30) : 30) * second,
  };
}

/** Whether all that nova.conf names as Glance is the facade. */
const servesNova = (config: CellarConfig): boolean => asksUs(config, 'every');

/** Whether every one, or some, of the addresses that nova.conf names as Glance's is the facade's. */
function asksUs({get}: CellarConfig, which: 'every' | 'some'): boolean {
  const listen = get('facade', 'listen');
  const servers = get('glance', 'api_servers') ?? [];
  const urls = servers.length > 0 ? servers : [get('glance', 'endpoint_override') ?? ''];
  return listen !== undefined && urls[which](url => isOwn(url, listen));
}

/** Where the real Glance is. On a host whose Nova uses the facade, Nova's own options lead to us, and do not count. */
function glanceAddress(
  {get}: CellarConfig,
  hasCatalog: boolean,
): Pick<GlanceOptions, 'api_servers' | 'endpoint_override'> {
  const servers = get('glance', 'api_servers');
  const override = get('glance', 'endpoint_override');
  const listen = get('facade', 'listen');
  if (listen === undefined) return {api_servers: servers, endpoint_override: override};
  const upstream = get('facade', 'upstream');
  const named = upstream.length > 0 ? upstream : servers?.length ? servers : override ? [override] : [];
  const others = named.filter(url => !isOwn(url, listen));
  if (others.length > 0) return {api_servers: others};
  if (upstream.length === 0 && hasCatalog) return {};
  throw new CellarError('config', `nothing says where Glance is, beside the facade itself (${formatAddress(listen)})`, {
    hint: 'set [facade] upstream to the URL of the real Glance, or the login in [service_user], with which the catalogue can be asked',
  });
}

function glanceOptions({get}: CellarConfig): GlanceOptions {
  return {
    service_type: get('glance', 'service_type'),
    service_name: get('glance', 'service_name'),
    valid_interfaces: get('glance', 'valid_interfaces'),
    region_name: get('glance', 'region_name') ?? get('service_user', 'region_name'),
    cafile: get('glance', 'cafile'),
    certfile: get('glance', 'certfile'),
    keyfile: get('glance', 'keyfile'),
    insecure: get('glance', 'insecure'),
    timeout: get('glance', 'timeout'),
    retries: get('glance', 'num_retries'),
    idle_timeout: get('image_store', 'fill_stall_timeout'),
    send_service_user_token: get('service_user', 'send_service_user_token'),
  };
}
