/** Which cell a host is mapped to: asked of the registrar, or of a conductor that knows. */
import type {CellarConfig} from '../config/load.ts';
import {rabbitOptions} from '../daemon/rabbit.ts';
import {registrarOptions} from '../daemon/registrar.ts';
import {ApiDatabase} from '../nova/api-database.ts';
import type {MoveFacts} from '../nova/move-facts.ts';
import {Conductor} from '../oslo/conductor.ts';
import {RpcClient} from '../oslo/rpc.ts';
import {RegistrarClient, type RegistrarClientOptions} from '../registrar/client.ts';

export type MappingSource = {
  /** null: to no cell; undefined: there is nobody to ask. */
  of(host: string, signal: AbortSignal): Promise<MoveFacts['mapped']>;
  close(): Promise<void>;
};

/** As the configuration of where this runs says. */
export function mappingSource(config: CellarConfig, identity: RegistrarClientOptions['identity']): MappingSource {
  const {get} = config;
  if (get('registrar', 'url') !== undefined) {
    const client = new RegistrarClient({...registrarOptions(config, identity !== undefined), identity});
    return {
      of: async (host, signal) => (await client.mappingOf(host, signal)) ?? null,
      close: async () => client.close(),
    };
  }
  if (get('cell', 'registration') !== 'conductor') return {of: async () => undefined, close: async () => {}};
  const rpc = new RpcClient({
    url: get('DEFAULT', 'transport_url'),
    rabbit: rabbitOptions(config),
    exchange: get('DEFAULT', 'control_exchange'),
    timeoutMs: (get('DEFAULT', 'rpc_response_timeout') ?? 60) * 1000,
  });
  const api = new ApiDatabase(new Conductor(rpc));
  return {of: async (host, signal) => (await api.mappingOf(host, signal)) ?? null, close: () => rpc.close()};
}
