#!/usr/bin/env node
import pino from 'pino';
import {formatAddress} from '../config/names.ts';
import {version} from '../config/version.ts';
import {CellarError} from '../core/errors.ts';
import {loadBinding} from '../rbd/binding.ts';
import {takeServiceEnvironment} from '../service/environment.ts';
import {type Composed, compose} from './compose.ts';
import {isLoopback} from './own-address.ts';
import {metricsTold, runProgram, type Sources, stopSignal} from './program.ts';
import {Configuration} from './reload.ts';
import type {Settings} from './settings.ts';
import {checkFacadeSocket, type Inherited, takeSockets} from './sockets.ts';
import {AgentService} from './systemd.ts';
import {traceFields} from './trace.ts';

const usage = `Usage: cellar-agent [--config-file FILE]... [--config-dir DIR]...

Serves disks of images in this cell on the unix socket of [agent] socket.
Without --config-file, Nova's files and /etc/cellar/cellar.conf are read.

  --config-file FILE  a configuration file; may be given several times, later ones win
  --config-dir DIR    a directory of *.conf files
  --version           prints the version
  --help              prints this
`;

await runProgram({name: 'cellar-agent', usage, run}, process.argv.slice(2));

/** From configuration to the last connection closed. Ready means that the sockets answer, not that Ceph does. */
async function run(sources: Sources): Promise<void> {
  const environment = takeServiceEnvironment();
  const inherited = takeSockets();
  const configuration = new Configuration(sources);
  const {settings} = configuration;
  const log = pino(
    {name: 'cellar-agent', level: settings.logLevel, mixin: traceFields},
    pino.destination({dest: 1, sync: true}),
  );
  const composed = compose(settings, log);
  const service = new AgentService({environment, log, condition: composed.condition, addon: loadBinding()});
  const [stopping, ended] = [new AbortController(), new AbortController()];
  try {
    await listen(composed, settings, inherited, log);
  } catch (error) {
    // one socket may answer already, and would keep us running
    await Promise.all([composed.facade, composed.api].map(face => face?.drain(AbortSignal.abort())));
    await composed.close();
    throw error;
  }
  log.info(
    {version, host: settings.host, socket: settings.socket.path, pool: settings.ceph.pool},
    'cellar-agent is ready',
  );
  process.on('SIGHUP', () => service.reloading(() => configuration.reload(one => apply(one, composed, log), log)));
  service.ready(ended.signal);
  void composed.openSpool();
  const recovered = composed.recover(stopping.signal);
  const swept = recovered.then(() => composed.keepSweeping(stopping.signal));
  const registered = composed.keepRegistered(stopping.signal);
  const asked = composed.keepAsking(stopping.signal);
  await stopSignal(log);
  const {shutdownTimeout} = configuration.settings;
  service.stopping(shutdownTimeout);
  stopping.abort(new CellarError('cancelled', 'the agent is stopping'));
  await stop(composed, shutdownTimeout, Promise.all([swept, registered, asked]));
  ended.abort();
  log.info('cellar-agent has stopped');
}

/** What SIGHUP may change: the options that the table marks as such. */
function apply(settings: Settings, composed: Composed, log: pino.Logger): void {
  log.level = settings.logLevel;
  composed.apply(settings);
  warnOfHold(settings, log);
}

function warnOfHold({facade}: Settings, log: pino.Logger): void {
  if (facade?.holdCut !== undefined) log.warn({heldMs: facade.hold}, facade.holdCut);
}

/** On what was handed over, else where the configuration says. */
async function listen(
  {api, facade, metrics}: Composed,
  settings: Settings,
  inherited: Inherited,
  log: pino.Logger,
): Promise<void> {
  if (inherited.facade !== undefined && settings.facade === undefined) {
    throw new CellarError('config', 'a socket was handed over for the facade, but [facade] listen is empty', {
      hint: 'set it to the address of the socket unit, or disable the unit',
    });
  }
  await api.listen(inherited.cellar === undefined ? settings.socket : {fd: inherited.cellar});
  const {metricsListen} = settings;
  if (metricsListen !== undefined) await metrics.listen(metricsListen, metricsTold(metricsListen, log));
  if (facade === undefined || settings.facade === undefined) return;
  const at = settings.facade.listen;
  if (!isLoopback(at.host))
    log.warn({listen: formatAddress(at)}, 'the facade is not on loopback: others reach Glance through it');
  warnOfHold(settings, log);
  await facade.listen(inherited.facade === undefined ? at : {fd: inherited.facade});
  if (inherited.facade !== undefined) checkFacadeSocket(facade.address, at);
  log.info({listen: formatAddress(at)}, 'the facade answers for Glance');
}

/** Clones are let finish; a fill is given up at once, cleaned up, and its waiters told to try again: another host goes on with it. */
async function stop(
  {api, facade, world, close}: Composed,
  shutdownTimeout: number,
  background: Promise<unknown>,
): Promise<void> {
  const stopping = new CellarError('cancelled', 'the agent is stopping', {hint: 'try again when it is back'});
  const deadline = AbortSignal.timeout(shutdownTimeout);
  const passed = facade?.drain(deadline); // first, so that who is held there is told of the restart and not of a fill that failed
  world.fills.abandon(stopping);
  await api.drain(deadline);
  await passed;
  world.fills.abandon(stopping); // a prefetch may have begun one since, and ends with nobody's leaving
  await world.fills.idle();
  await background;
  await close();
}
