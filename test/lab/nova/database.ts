/** A real MariaDB on loopback, with the databases of Nova and Placement. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {obituary, startDaemon} from '../daemon.ts';
import {all, run, waitFor} from '../run.ts';
import {confOf, type NovaState} from './state.ts';

export type Row = Record<string, string | number | null>;

/** Makes and starts it; resolves when it answers. */
export async function startDatabase(nova: NovaState, {tied = false} = {}): Promise<void> {
  const {dir, database} = nova;
  const data = join(dir, 'mysql');
  mkdirSync(data, {recursive: true, mode: 0o700});
  await run('mariadb-install-db', [...options(data), '--skip-test-db', '--auth-root-authentication-method=normal']);
  const init = join(dir, 'init.sql');
  writeFileSync(init, accounts(nova).join('\n'), {mode: 0o600});
  const command = [
    ...['mariadbd', ...options(data), `--init-file=${init}`, `--socket=${join(dir, 'mysql.sock')}`],
    ...[`--bind-address=${database.host}`, `--port=${database.port}`, `--pid-file=${join(dir, 'mysql.pid')}`],
    // what a power failure would cost is no concern here
    ...['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0', '--skip-log-bin'],
    ...['--skip-name-resolve', '--max-connections=600', '--character-set-server=utf8mb3'],
  ];
  const daemon = startDaemon(dir, 'mariadb', command, {tied});
  await waitFor('MariaDB', () => mariadb(nova, ['-e', 'select 1']), {stop: () => obituary(daemon)});
}

const options = (data: string) => ['--no-defaults', '--user=root', `--datadir=${data}`];

function accounts({database: {user, password}, cells}: NovaState): string[] {
  const names = ['placement', 'nova_api', 'nova_cell0', ...cells.map(cell => `nova_${cell.name}`)];
  return [
    ...names.map(name => `create database if not exists ${name};`),
    `create user if not exists ${user}@'127.0.0.1' identified by '${password}';`,
    `grant all on *.* to ${user}@'127.0.0.1';`,
  ];
}

/** On a loaded machine a schema takes minutes. */
const slowly = {timeoutMs: 600_000};

/** Nova's and Placement's own schemas. All cells have the same one: it is made once and copied. */
export async function makeSchemas(nova: NovaState): Promise<void> {
  const manage = (...args: string[]) => run('nova-manage', ['--config-file', confOf(nova, 'api'), ...args], slowly);
  const cells = async () => {
    await manage('db', 'sync', '--local_cell');
    const schema = await mariadb(nova, ['nova_cell0'], 'mariadb-dump');
    const file = join(nova.dir, 'cell.sql');
    writeFileSync(file, schema);
    await all(nova.cells.map(cell => mariadb(nova, [`nova_${cell.name}`, '-e', `source ${file}`])));
  };
  const placement = run('placement-manage', ['--config-file', confOf(nova, 'placement'), 'db', 'sync'], slowly);
  await all([manage('api_db', 'sync'), cells(), placement]);
  await mapCells(nova);
}

/** The rows that `nova-manage cell_v2 map_cell0` and `create_cell` write; each of them takes some seconds. */
async function mapCells(nova: NovaState): Promise<void> {
  const cell0 = {
    uuid: '00000000-0000-0000-0000-000000000000',
    name: 'cell0',
    transportUrl: 'none:///',
    databaseUrl: nova.apiDatabaseUrl.replace('/nova_api?', '/nova_cell0?'),
  };
  const values = [cell0, ...nova.cells].map(
    ({uuid, name, transportUrl, databaseUrl}) =>
      `(now(), '${uuid}', '${name}', '${transportUrl}', '${databaseUrl}', 0)`,
  );
  const columns = 'created_at, uuid, name, transport_url, database_connection, disabled';
  await mariadb(nova, ['nova_api', '-e', `insert into cell_mappings (${columns}) values ${values.join(', ')}`]);
}

/** One of MariaDB's own clients. */
export function mariadb({database}: Pick<NovaState, 'database'>, args: string[], client = 'mariadb'): Promise<string> {
  const {host, port, user, password} = database;
  const connection = ['--no-defaults', `--host=${host}`, `--port=${port}`, `--user=${user}`];
  return run(client, [...connection, ...args], {env: {MYSQL_PWD: password}});
}

const query = `
import json, os, sys, pymysql
statement, connection = sys.argv[1], json.loads(sys.argv[2])
db = pymysql.connect(password=os.environ['MYSQL_PWD'], autocommit=True, cursorclass=pymysql.cursors.DictCursor, **connection)
with db.cursor() as cursor:
    cursor.execute(statement)
    print(json.dumps(list(cursor.fetchall()), default=str))
`;

/** Runs one statement; its rows as objects, dates as text. */
export async function sql(nova: Pick<NovaState, 'database'>, db: string, statement: string): Promise<Row[]> {
  const {password, ...connection} = nova.database;
  const where = JSON.stringify({...connection, database: db});
  return JSON.parse(await run('/usr/bin/python3', ['-c', query, statement, where], {env: {MYSQL_PWD: password}}));
}
