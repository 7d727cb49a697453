/** cellar-registrar's parts, made and handed to each other. */
import type {Logger} from 'pino';
import {version} from '../config/version.ts';
import {LoopDelay} from '../daemon/loop-delay.ts';
import {observeBus} from '../daemon/observe-registration.ts';
import {Session} from '../keystone/session.ts';
import {TokenValidator} from '../keystone/validate.ts';
import {createMetricsServer, type MetricsServer} from '../metrics/listen.ts';
import {exposeAll} from '../metrics/meters.ts';
import {processMeters} from '../metrics/process.ts';
import {ApiDatabase} from '../nova/api-database.ts';
import {Conductor} from '../oslo/conductor.ts';
import type {EmitBusEvent} from '../oslo/events.ts';
import {RpcClient} from '../oslo/rpc.ts';
import {Cells} from './cells.ts';
import {createRegistrarMeters, meterBuses} from './metrics.ts';
import {observeRequests} from './observe.ts';
import {Registrar} from './registrar.ts';
import {createRegistrarServer, type RegistrarServer} from './server.ts';
import type {RegistrarSettings} from './settings.ts';

export type ComposedRegistrar = {
  server: RegistrarServer;
  metrics: MetricsServer;
  api: ApiDatabase;
  close(): Promise<void>;
};

/** What to say where the super-conductor is none. */
const lacking = {
  message:
    'the conductors of [DEFAULT] transport_url have no [api_database]: this is not the message bus of the super-conductor',
  hint: "set [DEFAULT] transport_url to that of nova-api's and nova-scheduler's configuration",
};

/** Connects when it is first asked. */
export function composeRegistrar(settings: RegistrarSettings, log: Logger): ComposedRegistrar {
  const {bus, login} = settings;
  const [meters, loopDelay] = [createRegistrarMeters(), new LoopDelay()];
  const own = processMeters({version, delay: () => loopDelay.worst});
  const [logBus, countBus] = [observeBus(log), meterBuses(meters)];
  const emit: EmitBusEvent = event => {
    logBus(event);
    countBus(event);
  };
  const connect = (url: string) => new RpcClient({...bus, url, emit});
  const rpc = connect(bus.url);
  const api = new ApiDatabase(new Conductor(rpc), lacking);
  const cells = new Cells({api, connect});
  const session = login && new Session(login.auth, {...login.session, retries: 1});
  const validator = login && session && new TokenValidator(session, login.auth.auth_url, login.session);
  const server = createRegistrarServer({
    registrar: new Registrar({api, cells, rules: settings.rules}),
    identification: {
      auth: settings.auth,
      validate: validator && ((token, signal) => validator.validate(token, signal)),
      rules: settings.tokenRules,
      certificateNamesHost: settings.certificateNamesHost,
    },
    version,
    tls: settings.tls,
    timeouts: {headers: 10_000, body: 10_000, request: settings.requestTimeout},
    rateLimit: settings.rateLimit,
    maxConnections: settings.maxConnections,
    maxRequests: settings.maxRequests,
    ...observeRequests(log, meters),
  });
  meters.onScrape(() => meters.set('cellar_registrar_requests_in_flight', {}, server.inFlight));
  const metrics = createMetricsServer(() => exposeAll([own, meters]));
  return {
    server,
    metrics,
    api,
    close: async () => {
      loopDelay[Symbol.dispose]();
      validator?.close();
      session?.close();
      await Promise.all([rpc.close(), cells.close(), metrics.close()]);
    },
  };
}
