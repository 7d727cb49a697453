/** cellar-agent(8) and cellar-registrar(8): the options from the programs' own usage, the rest written here. */
import {errorKinds} from '../../src/core/errors.ts';
import {filesSection, optionsOfUsage, seeAlso} from './common.ts';
import {bold, italic, literal, type Page, paragraph, prose, section, tagged} from './roff.ts';

/** `usage` is what the program prints for `--help`. */
export function agentPage(version: string, date: string, usage: string): Page {
  return {
    name: 'cellar-agent',
    section: 8,
    title: "makes disks of Glance images in a Nova cell's Ceph",
    version,
    date,
    body: [
      synopsis('cellar-agent'),
      section(
        'DESCRIPTION',
        prose(
          "`cellar-agent` runs on each compute host of a Nova cell that has its own Ceph cluster. It keeps one verified copy of each Glance image in the cell's Ceph, the same for all hosts of the cell, and makes instance disks as clones of it, for `cellar`(1) and other clients of its unix socket, and for an unmodified nova-compute by standing in for Glance on this host.",
        ),
        paragraph(
          'It is ready when its sockets answer, which does not wait for Ceph, Keystone or Glance: while one of them is down, requests fail and may be tried again. `cellar status` tells what is down, `cellar doctor` what this host lacks. The log is JSON lines on standard output.',
        ),
      ),
      section('OPTIONS', optionsOfUsage(usage)),
      section(
        'SIGNALS',
        tagged(
          bold('SIGHUP'),
          'Reads the configuration again and applies what can change. A file with an error changes nothing.',
        ),
        tagged(
          bold('SIGTERM, SIGINT'),
          'Gives up fills that run, so that another host of the cell goes on with them; lets everything else finish for `[agent] shutdown_timeout`; ends. A second one ends it at once.',
        ),
        tagged(
          bold('SIGKILL'),
          'Loses nothing: what is left behind is removed by the next start of an agent of the cell.',
        ),
      ),
      section(
        'SOCKETS',
        prose(
          'It takes listening sockets from systemd: `cellar` for its API (cellar-agent.socket) and `facade` for Glance (cellar-facade.socket, which is enabled only where `[facade] listen` is set, and listens on the same address). They stay open while it is restarted, and requests wait in them. systemd starts them only while the agent is not running.',
        ),
        paragraph(
          'Whoever can connect to the socket of the API can have disks made of every image that the login of the agent may read, and removed. The members of the group `nova` can.',
        ),
      ),
      exitStatus,
      filesSection,
      section('EXAMPLES', prose('After the installation:'), literal(afterInstallation)),
      seeAlso('cellar-agent(8)'),
    ],
  };
}

const afterInstallation = `editor /etc/cellar/cellar.conf
cellar config check
systemctl enable --now cellar-facade.socket    # only with [facade] listen
systemctl start cellar-agent.socket cellar-agent.service
cellar doctor`;

export function registrarPage(version: string, date: string, usage: string): Page {
  return {
    name: 'cellar-registrar',
    section: 8,
    title: 'maps compute hosts to their Nova cells',
    version,
    date,
    body: [
      synopsis('cellar-registrar'),
      section(
        'DESCRIPTION',
        prose(
          "`cellar-registrar` runs where the message bus of Nova's super-conductor can be reached. Agents whose cell's conductor has no API database ask it to map their host, so that nobody has to run discover_hosts. A host is mapped to the cell whose database holds its compute node, whatever it says of itself.",
        ),
        paragraph(
          'It speaks to conductors over RabbitMQ and needs no password of a database. It keeps nothing: several may run behind a load balancer. The log is JSON lines on standard output.',
        ),
      ),
      section('OPTIONS', optionsOfUsage(usage)),
      section(
        'SIGNALS',
        tagged(bold('SIGHUP'), 'Reads the certificates again.'),
        tagged(bold('SIGTERM, SIGINT'), 'Lets requests finish, and ends. A second one ends it at once.'),
      ),
      exitStatus,
      filesSection,
      seeAlso('cellar-registrar(8)'),
    ],
  };
}

const synopsis = (name: string) =>
  section(
    'SYNOPSIS',
    `${bold(name)} [${bold('--config-file')} ${italic('FILE')}]... [${bold('--config-dir')} ${italic('DIR')}]...\n`,
  );

const exitStatus = section(
  'EXIT STATUS',
  tagged(bold('0'), 'It was told to stop.'),
  tagged(bold(String(errorKinds.usage.exit)), 'The command line is wrong.'),
  tagged(bold(String(errorKinds.config.exit)), 'The configuration is wrong; systemd does not start it again.'),
  tagged(bold('1'), 'Anything else.'),
);
