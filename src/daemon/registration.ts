/** The registration of this host, made of its parts: as the configuration says, or none. */
import type {Logger} from 'pino';
import type {CellarConfig} from '../config/load.ts';
import type {Cell as CephCell} from '../core/ports.ts';
import {ApiDatabase} from '../nova/api-database.ts';
import {type Bus, busOf} from '../nova/bus.ts';
import {CellDatabase, type Ratios} from '../nova/cell-database.ts';
import type {Claim} from '../nova/cells.ts';
import type {IdentityPlace} from '../nova/compute-id.ts';
import {hostFacts} from '../nova/host-facts.ts';
import {nodeName} from '../nova/hypervisor.ts';
import {findCell, mapHost} from '../nova/mapping.ts';
import {type Recorder, register} from '../nova/register.ts';
import {Registration, type Road, registrationTimes} from '../nova/registration.ts';
import {Heartbeat} from '../nova/service.ts';
import {Conductor} from '../oslo/conductor.ts';
import type {GivenOptions} from '../oslo/options.ts';
import {RpcClient} from '../oslo/rpc.ts';
import {observeBus, observeRegistration} from './observe-registration.ts';

export type RegistrationSettings = {
  road: Exclude<Road, 'off'>;
  host: string;
  claim: Claim;
  /** `[cell] expected_fsid` is set. */
  pinned: boolean;
  transportUrl: string;
  rabbit: GivenOptions;
  exchange: string;
  /** ms */
  rpcTimeout: number;
  reportInterval: number;
  identity: IdentityPlace;
  nodeName: string | undefined;
  libvirtUri: string;
  myIp: string;
  ratios: Ratios;
};

const second = 1000;

/** undefined: this host is registered by others. */
export function registrationSettings({get, files}: CellarConfig): RegistrationSettings | undefined {
  const road = get('cell', 'registration');
  if (road === 'off') return undefined;
  return {
    road,
    host: get('DEFAULT', 'host'),
    claim: {name: get('cell', 'name'), uuid: get('cell', 'uuid')},
    pinned: get('cell', 'expected_fsid') !== undefined,
    transportUrl: get('DEFAULT', 'transport_url'),
    rabbit: rabbitOptions({get}),
    exchange: get('DEFAULT', 'control_exchange'),
    rpcTimeout: (get('DEFAULT', 'rpc_response_timeout') ?? 60) * second,
    reportInterval: (get('DEFAULT', 'report_interval') ?? 10) * second,
    identity: {configFiles: files, statePath: get('DEFAULT', 'state_path')},
    nodeName: get('cell', 'hypervisor_hostname'),
    libvirtUri: get('libvirt', 'connection_uri') || 'qemu:///system',
    myIp: get('DEFAULT', 'my_ip'),
    ratios: ratiosOf({get}),
  };
}

const rabbitNames = [
  'ssl',
  'ssl_ca_file',
  'ssl_cert_file',
  'ssl_key_file',
  'ssl_enforce_hostname_verification',
  'rabbit_login_method',
  'heartbeat_timeout_threshold',
  'rabbit_retry_interval',
  'rabbit_retry_backoff',
  'rabbit_interval_max',
  'rabbit_ha_queues',
  'rabbit_transient_queues_ttl',
  'rabbit_transient_quorum_queue',
] as const satisfies (keyof GivenOptions)[];

const rabbitOptions = ({get}: Pick<CellarConfig, 'get'>): GivenOptions =>
  Object.fromEntries(rabbitNames.map(name => [name, get('oslo_messaging_rabbit', name)]));

/** Nova fills in what is not sent by the conductor's configuration; what this host's says must be sent. */
function ratiosOf({get}: Pick<CellarConfig, 'get'>): Ratios {
  const ratios: Ratios = {};
  for (const name of ['cpu_allocation_ratio', 'ram_allocation_ratio', 'disk_allocation_ratio'] as const) {
    const ratio = get('DEFAULT', name) || get('DEFAULT', `initial_${name}`);
    if (ratio) ratios[name] = ratio;
  }
  return ratios;
}

export type RegistrationParts = {registration: Registration; close(): Promise<void>};

/** Connects when it is first kept. */
export function composeRegistration(settings: RegistrationSettings, ceph: CephCell, log: Logger): RegistrationParts {
  const {road, host, claim, transportUrl, rabbit, exchange, rpcTimeout, reportInterval} = settings;
  const rpc = new RpcClient({url: transportUrl, rabbit, exchange, timeoutMs: rpcTimeout, emit: observeBus(log)});
  const conductor = new Conductor(rpc);
  const cell = new CellDatabase(conductor);
  const api = new ApiDatabase(conductor);
  const heartbeat = new Heartbeat(cell, host);
  const recorder: Recorder = {
    cell,
    host,
    identity: settings.identity,
    ratios: settings.ratios,
    nodeName: signal => nodeName(settings.nodeName, settings.libvirtUri, signal),
    facts: signal => hostFacts({myIp: settings.myIp, room: soon => ceph.copies.room(soon)}, signal),
  };
  const bus: Bus | undefined = busOf(transportUrl);
  const registration = new Registration(
    {
      // The connection refuses a cluster that is not the expected one. Without a pin nothing is proved by waiting for Ceph.
      check: async signal => {
        if (settings.pinned) await ceph.disks.fsid(signal);
      },
      register: signal => register(recorder, signal),
      beat: signal => heartbeat.beat(signal),
      ...(road === 'conductor' && {
        findCell: (signal: AbortSignal) => findCell({api, cell}, {host, claim, bus}, signal),
        map: ({node}, to, signal) => mapHost({api, cell}, {host, uuid: node.uuid, to}, signal),
      }),
    },
    {...registrationTimes, report: reportInterval},
    observeRegistration(log),
  );
  return {registration, close: () => rpc.close()};
}
