/** A real Placement on loopback. */
import {join} from 'node:path';
import {obituary, startDaemon} from '../daemon.ts';
import {apiCall} from '../keystone-api.ts';
import {waitFor} from '../run.ts';
import {logOf, type NovaState} from './state.ts';

/** Its configuration (etc/placement.conf) and database are there. */
export async function startPlacement(nova: NovaState, {tied = false} = {}): Promise<void> {
  const command = [
    ...['uwsgi_python3', '--http-socket', new URL(nova.placementUrl).host, '--wsgi-file', '/usr/bin/placement-api'],
    // without it uwsgi closes connections that it said it would keep
    ...['--add-header', 'Connection: close'],
    ...['--master', '--processes', '2', '--no-orphans', '--die-on-term', '--lazy-apps'],
    ...['--need-app', '--buffer-size', '65535', '--procname-prefix', `placement of ${nova.dir}: `],
  ];
  const env = {OS_PLACEMENT_CONFIG_DIR: join(nova.dir, 'etc')};
  const daemon = startDaemon(nova.dir, 'placement', command, {logs: [logOf(nova, 'placement')], tied, env});
  await waitFor('Placement', () => apiCall(nova.placementUrl), {stop: () => obituary(daemon)});
}
