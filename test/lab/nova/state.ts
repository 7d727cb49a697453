/** Where everything of the Nova part of a lab is: ports, files, databases, message buses. Known before anything runs. */
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';

export type CellName = 'cell1' | 'cell2';

export type NovaCell = {
  name: CellName;
  /** Of its cell mapping. */
  uuid: string;
  /** Which cluster of the lab is its own: the key in the lab's state. */
  cluster: 'cell' | 'cell2';
  databaseUrl: string;
  transportUrl: string;
};

export type NovaState = {
  /** Its directory in the lab's: etc/, log/, run/, hosts/HOST/. */
  dir: string;
  novaUrl: string;
  placementUrl: string;
  /** Host, port and the one user of MariaDB; databases nova_api, nova_cell0, nova_cell1, nova_cell2, placement. */
  database: {host: string; port: number; user: string; password: string};
  apiDatabaseUrl: string;
  /** Of the super-conductor, the scheduler and nova-api; their databases are nova_api and nova_cell0. */
  transportUrl: string;
  cells: NovaCell[];
  /** kvm, or qemu where /dev/kvm is missing. */
  virtType: 'kvm' | 'qemu';
};

/** The ports of a lab's slot that are neither Ceph's nor Keystone's nor Glance's. */
export const novaPorts = (first: number) => ({
  database: first + 82,
  rabbit: first + 83,
  rabbitDistribution: first + 84,
  epmd: first + 85,
  placement: first + 86,
  nova: first + 87,
  network: first + 88,
});

export const novaDir = (base: string) => join(base, 'os');
export const confOf = ({dir}: Pick<NovaState, 'dir'>, name: string) => join(dir, 'etc', `${name}.conf`);
export const logOf = ({dir}: Pick<NovaState, 'dir'>, name: string) => join(dir, 'log', `${name}.log`);
/** The hosts that were ever started. */
export const hosts = ({dir}: Pick<NovaState, 'dir'>): string[] => {
  const all = join(dir, 'hosts');
  return existsSync(all) ? readdirSync(all) : [];
};
export const hostDir = ({dir}: Pick<NovaState, 'dir'>, host: string) => join(dir, 'hosts', host);

const cellUuids = {
  cell1: 'ce110001-0000-4000-8000-000000000001',
  cell2: 'ce110002-0000-4000-8000-000000000002',
};

export type NovaPlace = {base: string; port: number; password: string; cells: 1 | 2};

export function planNova({base, port, password, cells}: NovaPlace): NovaState {
  const ports = novaPorts(port);
  const database = {host: '127.0.0.1', port: ports.database, user: 'nova', password};
  const databaseUrl = (name: string) =>
    `mysql+pymysql://${database.user}:${password}@${database.host}:${database.port}/${name}?charset=utf8`;
  const transportUrl = (vhost: string) => `rabbit://nova:${password}@127.0.0.1:${ports.rabbit}/${vhost}`;
  const cell = (name: CellName, cluster: NovaCell['cluster']): NovaCell => ({
    name,
    uuid: cellUuids[name],
    cluster,
    databaseUrl: databaseUrl(`nova_${name}`),
    transportUrl: transportUrl(name),
  });
  return {
    dir: novaDir(base),
    novaUrl: `http://127.0.0.1:${ports.nova}/v2.1`,
    placementUrl: `http://127.0.0.1:${ports.placement}`,
    database,
    apiDatabaseUrl: databaseUrl('nova_api'),
    transportUrl: transportUrl('api'),
    cells: cells === 2 ? [cell('cell1', 'cell'), cell('cell2', 'cell2')] : [cell('cell1', 'cell')],
    virtType: existsSync('/dev/kvm') ? 'kvm' : 'qemu',
  };
}

export function cellOf({cells}: Pick<NovaState, 'cells'>, name: CellName): NovaCell {
  const cell = cells.find(each => each.name === name);
  if (!cell) throw new Error(`the lab has no ${name}: start it with --cells 2`);
  return cell;
}
