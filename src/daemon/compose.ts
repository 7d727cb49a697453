import {randomUUID} from 'node:crypto';
import type {Logger} from 'pino';
import {type ApiServer, createApi} from '../api/server.ts';
import {version} from '../config/version.ts';
import {qemuConverter} from '../convert/converter.ts';
import {FillBoard} from '../core/board.ts';
import {GlanceChecks} from '../core/deleted.ts';
import type {CellarError} from '../core/errors.ts';
import type {Filled} from '../core/fill.ts';
import {keepSweeping} from '../core/janitor.ts';
import {beginOffer, offerCopy} from '../core/offer.ts';
import {recover} from '../core/recover.ts';
import type {Progress} from '../core/request.ts';
import {SingleFlight, Turns} from '../core/single-flight.ts';
import {UsageLog} from '../core/usage.ts';
import type {World} from '../core/world.ts';
import {createFacade, type Facade, type FacadeOptions} from '../facade/server.ts';
import {GlanceClient} from '../glance/client.ts';
import {Endpoints} from '../glance/endpoints.ts';
import {parseRecord} from '../glance/record.ts';
import {Session} from '../keystone/session.ts';
import type {MetricsServer} from '../metrics/listen.ts';
import {loadBinding} from '../rbd/binding.ts';
import {rbdCell} from '../rbd/cell.ts';
import {CellarAgent} from './agent.ts';
import {composeBaseFiles, heeded} from './base-files.ts';
import {composeMetrics, watchWorld} from './compose-metrics.ts';
import {Health, watchCell} from './health.ts';
import {askCeph, keepAsking} from './inquiry.ts';
import {LoopDelay} from './loop-delay.ts';
import {bothOf, meterCeph, meterEvents, meterFacade, meterGlance, meterKeystone, meterRequests} from './metrics.ts';
import {both, observe, observeFacade, observeRequests} from './observe.ts';
import {Recent} from './recent.ts';
import {composeRegistration} from './registration.ts';
import type {Settings} from './settings.ts';
import type {Condition} from './systemd-status.ts';
import {glanceNames, timed, timedCell} from './timed.ts';
import {requestIdNow, traced} from './trace.ts';

/** A running agent's parts, as far as its life cycle needs them. */
export type Composed = {
  api: ApiServer;
  /** undefined: not configured. */
  facade: Facade | undefined;
  /** Listens where the configuration says so. */
  metrics: MetricsServer;
  world: World;
  /** Makes the spool ready, or logs what is wrong with it. Never fails: images that need no conversion are served without. */
  openSpool(): Promise<void>;
  /** Connects and takes away what an earlier run left. Never fails: the agent serves, and says what is wrong, while Ceph is down. */
  recover(signal: AbortSignal): Promise<void>;
  /** The janitor's rounds, and those over Nova's local copies of images, until the signal aborts. */
  keepSweeping(signal: AbortSignal): Promise<void>;
  /** Asks partners that are down, or were not asked lately, until the signal aborts. Never fails. */
  keepAsking(signal: AbortSignal): Promise<void>;
  /** Gets this host into its cell, as far as it is asked to, and gives signs of life, until the signal aborts. Never fails. */
  keepRegistered(signal: AbortSignal): Promise<void>;
  /** From now on, what SIGHUP may change is as in these. */
  apply(settings: Settings): void;
  /** How it is, in a few words. */
  condition(): Condition;
  /** Writes down what is only in memory and ends all connections; after the API and the facade were drained. */
  close(): Promise<void>;
};

/** The one place where the parts are made and handed to each other. */
export function compose(settings: Settings, log: Logger): Composed {
  const self = {host: settings.host, run: randomUUID()};
  const health = new Health();
  const loopDelay = new LoopDelay();

  const binding = loadBinding();
  const metrics = composeMetrics({binding, health, loopDelay, cell: settings.cell});
  const {meters} = metrics;
  const {auth, session: sessionOptions} = settings.keystone ?? {};
  // not watched as the others are: most tokens are at hand, and no answer of Keystone's
  const metered = meterKeystone(meters);
  const onAsked = (ms: number, error: unknown) => {
    metered(ms, error);
    health.note('keystone', error);
  };
  const session = auth && new Session(auth, {...sessionOptions, onAsked});
  const glance = new GlanceClient({...settings.glance, requestIdNow}, session);
  const {connect, expectedFsid, pool, cloneFormat, leaseDuration, busyTimeout, diskPools} = settings.ceph;
  const connected = rbdCell({
    binding,
    connect,
    ...(expectedFsid !== undefined && {expectedFsid}),
    pool,
    cloneFormat,
    leaseDuration,
    busyTimeout,
    holder: `${self.host} ${self.run}`,
    onLeaseLost: name => world.emit({type: 'lease-lost', name}),
  });
  const cell = timedCell(connected, meterCeph(meters));
  const recent = new Recent();
  const converter = qemuConverter({...settings.converter, hasher: digests => binding.hasher(digests)});
  const world: World = {
    self,
    cell: watchCell(cell, health),
    images: timed(health.watch('glance', glance), glanceNames, meterGlance(meters)),
    converter,
    limits: settings.limits,
    emit: both(
      meterEvents(meters),
      both(observe(log), event => recent.note(event)),
    ),
    turns: new Turns(),
    fills: new SingleFlight<Filled, Progress>(),
    usage: new UsageLog(),
    checks: new GlanceChecks(),
  };
  const parts = settings.registration && composeRegistration(settings.registration, world.cell, session, log, meters);
  const base = settings.baseFiles && composeBaseFiles(settings.baseFiles, world);
  const registration = () => parts?.registration.status ?? {state: 'off' as const};
  const board = new FillBoard(world);
  const agent = new CellarAgent({
    world,
    health,
    loopDelay,
    version,
    cell: settings.cell,
    diskPools,
    cephUser: connect.user,
    spool: {directory: settings.converter.directory, open: converter.openSpool},
    glanceUrl: settings.glance.api_servers?.join(' ') ?? settings.glance.endpoint_override ?? null,
    keystoneUrl: settings.keystone?.auth.auth_url ?? null,
    registration,
    metrics: metrics.expose,
    mishaps: () => recent.mishaps,
    board,
  });
  const timeouts = {request: settings.requestTimeout};
  const api = createApi({
    agent,
    version,
    timeouts,
    within: traced,
    onHandled: both(meterRequests(meters), observeRequests(log)),
  });
  const facade = settings.facade && {
    ...settings.facade,
    servers: new Endpoints(settings.glance, session),
    tls: settings.glance,
    parse: parseRecord,
    ...offersIn(world, settings.facade.offersNothing),
    within: traced,
    ...heeded(bothOf(meterFacade(meters), observeFacade(log)), base),
  };
  watchWorld(meters, world, () => api.inFlight);
  const questions = {
    ceph: askCeph(cell),
    glance: (signal: AbortSignal) => glance.answers(signal, {list: health.of('glance').state === 'down'}),
    ...(session && {
      keystone: (signal: AbortSignal) => session.answers(signal, {token: health.of('keystone').state === 'down'}),
    }),
  };
  return {
    api,
    facade: facade && createFacade(facade),
    metrics: metrics.server,
    world,
    openSpool: () =>
      converter.openSpool().catch((error: CellarError) => {
        const {kind, message, hint} = error;
        log.error(
          {event: 'spool-unusable', error: {kind, message, hint}},
          `images that must be converted (all but raw and iso) cannot be cached: ${message}`,
        );
      }),
    recover: async signal => {
      const {copies, disks} = await recover(world, signal);
      log.info({copies, disks}, 'recovery is done');
    },
    keepSweeping: async signal => {
      await Promise.all([keepSweeping(world, signal), base?.keepSweeping(signal)]);
    },
    keepAsking: signal => keepAsking(health, questions, signal),
    keepRegistered: async signal => parts?.registration.keep(signal),
    apply: changed => {
      Object.assign(world.limits, changed.limits);
      Object.assign(settings.converter.limits, changed.converter.limits);
      timeouts.request = changed.requestTimeout;
      if (facade !== undefined && changed.facade !== undefined) facade.hold = changed.facade.hold;
    },
    condition: () => ({
      cell: settings.cell,
      registration: registration(),
      fills: world.fills.running.map(({key}) => key),
      health: part => health.of(part),
    }),
    close: async () => {
      await world.usage.flush(cell.usage, AbortSignal.timeout(5000)).catch(() => {});
      loopDelay[Symbol.dispose]();
      board.close();
      session?.close();
      glance.close();
      await parts?.close();
      await metrics.server.close();
      await connected.close();
    },
  };
}

const offersIn = (world: World, nothing: string | undefined): Pick<FacadeOptions, 'begin' | 'offer'> =>
  nothing === undefined
    ? {
        begin: (id, signal) => beginOffer(id, world, signal),
        offer: (image, requester, options) => offerCopy(image, requester, world, options),
      }
    : {offer: async () => ({why: nothing, reason: 'not-for-rbd'})};
