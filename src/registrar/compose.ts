/** cellar-registrar's parts, made and handed to each other. */
import type {Logger} from 'pino';
import {version} from '../config/version.ts';
import {observeBus} from '../daemon/observe-registration.ts';
import {Session} from '../keystone/session.ts';
import {TokenValidator} from '../keystone/validate.ts';
import {ApiDatabase} from '../nova/api-database.ts';
import {Conductor} from '../oslo/conductor.ts';
import {RpcClient} from '../oslo/rpc.ts';
import {Cells} from './cells.ts';
import {observeChanges, observeHandled} from './observe.ts';
import {Registrar} from './registrar.ts';
import {createRegistrarServer, type RegistrarServer} from './server.ts';
import type {RegistrarSettings} from './settings.ts';

export type ComposedRegistrar = {
  server: RegistrarServer;
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
  const emit = observeBus(log);
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
    onChange: observeChanges(log),
    onHandled: observeHandled(log),
  });
  return {
    server,
    api,
    close: async () => {
      validator?.close();
      session?.close();
      await Promise.all([rpc.close(), cells.close()]);
    },
  };
}
