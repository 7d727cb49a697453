/** The registration of this host, made of its parts: as the configuration says, or none. */
import type {Logger} from 'pino';
import type {CellarConfig} from '../config/load.ts';
import type {Cell as CephCell} from '../core/ports.ts';
import type {TransportOptions} from '../http/transport.ts';
import {ApiDatabase} from '../nova/api-database.ts';
import {type Bus, busOf} from '../nova/bus.ts';
import {CellDatabase, type Ratios} from '../nova/cell-database.ts';
import type {Cell, Claim} from '../nova/cells.ts';
import type {IdentityPlace} from '../nova/compute-id.ts';
import {hostFacts} from '../nova/host-facts.ts';
import {nodeName} from '../nova/hypervisor.ts';
import {findCell, type Mapper, mapHost} from '../nova/mapping.ts';
import {type Recorder, register} from '../nova/register.ts';
import {
  type NamedCell,
  Registration,
  type RegistrationSteps,
  type Road,
  registrationTimes,
} from '../nova/registration.ts';
import {Heartbeat} from '../nova/service.ts';
import {Conductor} from '../oslo/conductor.ts';
import type {GivenOptions} from '../oslo/options.ts';
import {RpcClient} from '../oslo/rpc.ts';
import {RegistrarClient, type RegistrarClientOptions} from '../registrar/client.ts';
import {type AgentMeters, meterBus, meterRegistration} from './metrics.ts';
import {both} from './observe.ts';
import {observeBus, observeRegistration} from './observe-registration.ts';
import {rabbitOptions} from './rabbit.ts';
import {registrarOptions} from './registrar.ts';

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
  /** Of the road `registrar`. */
  registrar: {url: string; transport: TransportOptions} | undefined;
};

const second = 1000;

/** undefined: this host is registered by others. `hasLogin`: the agent can show a token. */
export function registrationSettings(config: CellarConfig, hasLogin: boolean): RegistrationSettings | undefined {
  const {get, files} = config;
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
    registrar: road === 'registrar' ? registrarOptions(config, hasLogin) : undefined,
  };
}

/** Nova fills in what is not sent by the conductor's configuration; what this host's says must be sent. */
function ratiosOf({get}: Pick<CellarConfig, 'get'>): Ratios {
  const ratios: Ratios = {};
  for (const name of ['cpu_allocation_ratio', 'ram_allocation_ratio', 'disk_allocation_ratio'] as const) {
    const ratio = get('DEFAULT', name) || get('DEFAULT', `initial_${name}`);
    if (ratio) ratios[name] = ratio;
  }
  return ratios;
}

export type RegistrationParts = {registration: Pick<Registration, 'status' | 'keep'>; close(): Promise<void>};

/** A login at Keystone; undefined where none is configured. */
export type Identity = RegistrarClientOptions['identity'];

/** Connects when it is first kept. */
export function composeRegistration(
  settings: RegistrationSettings,
  ceph: CephCell,
  identity: Identity,
  log: Logger,
  meters: AgentMeters,
): RegistrationParts {
  const {road, host, claim, transportUrl, rabbit, exchange, rpcTimeout, reportInterval} = settings;
  const rpc = new RpcClient({
    url: transportUrl,
    rabbit,
    exchange,
    timeoutMs: rpcTimeout,
    emit: both(meterBus(meters), observeBus(log)),
  });
  const conductor = new Conductor(rpc);
  const cell = new CellDatabase(conductor);
  const heartbeat = new Heartbeat(cell, host);
  const recorder: Recorder = {
    cell,
    host,
    identity: settings.identity,
    ratios: settings.ratios,
    nodeName: signal => nodeName(settings.nodeName, settings.libvirtUri, signal),
    facts: signal => hostFacts({myIp: settings.myIp, room: soon => ceph.copies.room(soon)}, signal),
  };
  const place = {host, claim, bus: busOf(transportUrl)};
  const registrar = settings.registrar && new RegistrarClient({...settings.registrar, identity});
  const keeper = <C extends NamedCell>(mapping: Mapping<C>) =>
    new Registration<C>(
      {
        // The connection refuses a cluster that is not the expected one. Without a pin nothing is proved by waiting for Ceph.
        check: async signal => {
          if (settings.pinned) await ceph.disks.fsid(signal);
        },
        register: signal => register(recorder, signal),
        beat: signal => heartbeat.beat(signal),
        ...mapping,
      },
      {...registrationTimes, report: reportInterval},
      both(meterRegistration(meters), observeRegistration(log)),
    );
  const close = async () => {
    registrar?.close();
    await rpc.close();
  };
  if (registrar !== undefined) return {registration: keeper(throughRegistrar(registrar, place)), close};
  if (road === 'record') return {registration: keeper({}), close};
  return {registration: keeper(throughConductor({api: new ApiDatabase(conductor), cell}, place)), close};
}

type Mapping<C extends NamedCell> = Pick<RegistrationSteps<C>, 'findCell' | 'map'>;
type Place = {host: string; claim: Claim; bus: Bus | undefined};

const throughConductor = (mapper: Mapper, place: Place): Mapping<Cell> => ({
  findCell: signal => findCell(mapper, place, signal),
  map: ({node}, to, signal) => mapHost(mapper, {host: place.host, uuid: node.uuid, to}, signal),
});

const throughRegistrar = (registrar: RegistrarClient, place: Place): Mapping<NamedCell> => ({
  findCell: signal => registrar.findCell(place, signal),
  map: ({node}, to, signal) =>
    registrar.map({...place, node: node.hypervisor_hostname ?? '', uuid: node.uuid}, to, signal),
});
