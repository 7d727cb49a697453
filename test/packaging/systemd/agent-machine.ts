/** A machine whose agent serves a place in the lab's cell, by the units and with the files of an installed one. */
import {readFileSync} from 'node:fs';
import {cellar} from '../../helpers/agent.ts';
import {deadUrl} from '../../helpers/with-server.ts';
import type {Place} from '../../integration/place.ts';
import {lab} from '../../lab/shared.ts';
import {startMachine} from './machine.ts';

export const unit = 'cellar-agent.service';

/** Seconds. Long for a busy machine, short for somebody who waits for it to pass. */
const watchdog = 10;

export async function agentMachine(place: Place, glance: string) {
  const facade = new URL(await deadUrl()); // whose port is free
  const conf = cellarConf(place, facade, glance);
  const machine = await startMachine({
    etc: {
      'nova/nova.conf': novaConf(facade),
      'ceph/ceph.conf': readFileSync(place.cell.conf, 'utf8'),
      'ceph/ceph.client.cellar.keyring': await place.cell.ceph('auth', 'get', `client.${place.cache}`),
      'cellar/cellar.conf': conf,
      'cellar/cellar-agent-secrets.conf': `[service_user]\npassword = ${lab().password}\n`,
    },
    dropins: {
      [unit]: `WatchdogSec=${watchdog}s\nRestartSec=100ms\n`,
      'cellar-facade.socket': `[Socket]\nListenStream=\nListenStream=${facade.host}\n`,
    },
  });
  const socket = machine.path('/run/cellar/cellar.sock');
  return Object.assign(machine, {
    conf,
    facade: facade.origin,
    /** `cellar ARGS --json`, asked from outside. */
    cellar: (...args: string[]) => cellar([...args, '--json', '--socket', socket]),
    show1: async (property: string) => (await machine.show(unit, property))[property] ?? '',
  });
}

export type AgentMachine = Awaited<ReturnType<typeof agentMachine>>;

/** The lab's, without the password: that is a credential. */
const novaConf = (facade: URL) =>
  readFileSync(lab().novaConf, 'utf8')
    .replace(/^state_path = .*$/m, 'state_path = /var/lib/nova')
    .replace(/^images_rbd_ceph_conf = .*$/m, 'images_rbd_ceph_conf = /etc/ceph/ceph.conf')
    .replace(/^password = .*\n/m, '')
    .replace(/^\[glance\]$/m, `[glance]\nendpoint_override = ${facade.origin}`);

const cellarConf = ({cache, vms}: Place, facade: URL, glance: string) => `[libvirt]
images_rbd_pool = ${vms}
[image_store]
pool = ${cache}
rbd_user = ${cache}
fill_lease = 5
[facade]
listen = ${facade.host}
upstream = ${glance}
[agent]
log_level = info
`;
