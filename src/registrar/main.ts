#!/usr/bin/env node
/** `cellar-registrar`: maps hosts to their cells, for agents that may not write the API database. Keeps nothing: run several. */
import pino from 'pino';
import {loadConfig} from '../config/load.ts';
import {type Address, formatAddress} from '../config/names.ts';
import {version} from '../config/version.ts';
import {asCellarError} from '../core/errors.ts';
import {metricsTold, runProgram, type Sources, stopSignal} from '../daemon/program.ts';
import {takeServiceEnvironment} from '../service/environment.ts';
import {ServiceManager} from '../service/manager.ts';
import {keepWatched} from '../service/watchdog.ts';
import {type ComposedRegistrar, composeRegistrar} from './compose.ts';
import {strayStaging} from './policy.ts';
import {type RegistrarSettings, registrarSettings, tlsSettings} from './settings.ts';

const usage = `Usage: cellar-registrar [--config-file FILE]... [--config-dir DIR]...

Maps compute hosts to their cells for agents with [cell] registration = registrar.
[DEFAULT] transport_url must lead to the message bus of Nova's super-conductor.
Without --config-file, Nova's files and /etc/cellar/cellar.conf are read.

  --config-file FILE  a configuration file; may be given several times, later ones win
  --config-dir DIR    a directory of *.conf files
  --version           prints the version
  --help              prints this
`;

/** ms, besides what requests are given: connections are ended. */
const cleanUp = 30_000;

await runProgram({name: 'cellar-registrar', usage, run}, process.argv.slice(2));

/** From configuration to the last connection closed. Ready means that it answers, not that RabbitMQ does. */
async function run(sources: Sources): Promise<void> {
  const {socket, watchdog} = takeServiceEnvironment();
  const settings = registrarSettings(loadConfig(sources));
  const log = pino({name: 'cellar-registrar', level: settings.logLevel}, pino.destination({dest: 1, sync: true}));
  const onTrouble = (error: unknown) =>
    log.warn({error: asCellarError(error).message}, 'systemd cannot be told how the registrar is');
  const manager = new ServiceManager({socket, onTrouble});
  const composed = composeRegistrar(settings, log);
  const at = await listen(composed, settings, log);
  log.info(
    {version, listen: formatAddress(at), auth: settings.auth, tls: settings.tls !== undefined},
    'cellar-registrar is ready',
  );
  const status = `serving on ${formatAddress(at)}`;
  process.on('SIGHUP', () => {
    manager.reloading();
    const wrong = reload(sources, composed, log);
    manager.ready(wrong === undefined ? status : `${status}; ${wrong}`);
  });
  manager.ready(status);
  const [stopping, ended] = [new AbortController(), new AbortController()];
  // Its work is the event loop's: that this runs is all there is to find out.
  const probe = async () => undefined;
  if (watchdog !== undefined)
    void keepWatched({interval: watchdog, probe, alive: () => manager.alive(), onWithheld: () => {}}, ended.signal);
  const looked = lookOnce(composed, settings.rules.stagingCells, log, stopping.signal);
  await stopSignal(log);
  manager.stopping(settings.shutdownTimeout + cleanUp);
  stopping.abort();
  await composed.server.drain(AbortSignal.timeout(settings.shutdownTimeout));
  await composed.close();
  await looked;
  ended.abort();
  log.info('cellar-registrar has stopped');
}

/** Resolves where requests are answered. */
async function listen(
  {server, metrics, close}: ComposedRegistrar,
  settings: RegistrarSettings,
  log: pino.Logger,
): Promise<Address> {
  const {metricsListen} = settings;
  try {
    if (metricsListen !== undefined) await metrics.listen(metricsListen, metricsTold(metricsListen, log));
    return await server.listen(settings.listen);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whoever starts it on the wrong message bus is told now, and not by the first host. */
async function lookOnce(
  {api}: ComposedRegistrar,
  staging: readonly string[],
  log: pino.Logger,
  signal: AbortSignal,
): Promise<void> {
  try {
    const cells = await api.cells(signal);
    log.info({cells: cells.map(({name, uuid}) => ({name, uuid}))}, 'the super-conductor answers');
    const hint = '`nova-manage cell_v2 list_cells` prints names and uuids';
    for (const name of strayStaging(cells, staging))
      log.error(
        {hint},
        `no host can be mapped now: [registrar] staging_cells names ${name}, and there is no such cell`,
      );
  } catch (thrown) {
    if (signal.aborted) return;
    const {message, hint} = asCellarError(thrown);
    log.error({hint}, `no host can be mapped now: ${message}`);
  }
}

/** New certificates; all else needs a restart. Wrong files change nothing: then it answers what is wrong. */
function reload(sources: Sources, {server}: ComposedRegistrar, log: pino.Logger): string | undefined {
  try {
    const config = loadConfig(sources);
    const {listen} = registrarSettings(config);
    const tls = tlsSettings(config, listen);
    if (tls !== undefined) server.renew(tls);
    log.info('the certificates were read again');
    return undefined;
  } catch (error) {
    const {message} = asCellarError(error);
    log.error({error: message}, 'the certificates could not be read again; nothing has changed');
    return `the certificates could not be read again: ${message}`;
  }
}
