/** Nova's databases as conductors show them: the few objects and methods that the registrar calls, with passwords in every URL. */
import type {Conductor} from '../../src/oslo/conductor.ts';
import type {Draft, ObjectClass} from '../../src/oslo/objects.ts';
import {RemoteError} from '../../src/oslo/remote-error.ts';

type Row = Record<string, unknown>;

export const password = 'p4ssw0rd-of-the-bus';

export type CellRow = {id: number; uuid: string; name: string; transport_url: string};
export type NodeRow = {id: number; uuid: string; host: string; hypervisor_hostname: string; mapped: number};
export type ServiceRow = {
  id: number;
  uuid: string;
  host: string;
  binary: string;
  disabled: boolean;
  disabled_reason: string | null;
};

/** One cell's database. */
export class CellTables {
  readonly nodes: NodeRow[] = [];
  readonly services: ServiceRow[] = [];
}

/** The API's database. */
export class ApiTables {
  readonly cells: CellRow[] = [];
  /** Host to the uuid of its cell. */
  readonly mappings = new Map<string, string>();
}

export const cellRow = (id: number, name: string): CellRow => ({
  id,
  uuid: `ce11000${id}-0000-4000-8000-00000000000${id}`,
  name,
  transport_url: `rabbit://nova:${password}@127.0.0.1:5672/${name}`,
});

/** Every call that was made: `Service.save`, with what was written. */
export type Seen = {call: string; data: Row | undefined};

/** A conductor over these tables. `fail` is thrown by every call, if it answers an error. */
export function conductorOf(
  tables: {api?: ApiTables; cell?: CellTables},
  seen: Seen[] = [],
  fail: () => Error | undefined = () => undefined,
): Conductor {
  const check = (call: string, data?: Row) => {
    const error = fail();
    if (error !== undefined) throw error;
    seen.push({call, data});
  };
  return {
    classAction: async ({name}: ObjectClass, method: string, args: unknown[]) => {
      check(`${name}.${method}`);
      return read(tables, `${name}.${method}`, args);
    },
    action: async ({of, data}: Draft, method: string) => {
      check(`${of.name}.${method}`, data);
      write(tables, `${of.name}.${method}`, data);
      return {updates: {}, result: null};
    },
  } as unknown as Conductor;
}

function read({api, cell}: {api?: ApiTables; cell?: CellTables}, call: string, args: unknown[]): unknown {
  const [first, second] = args;
  if (api === undefined && /^(Cell|Host)Mapping/.test(call)) throw remote('CantStartEngineError', 'No sql_connection');
  const cells = (api?.cells ?? []).map(row => object('CellMapping', '1.1', {...row, disabled: false}));
  switch (call) {
    case 'CellMappingList.get_all':
      return object('CellMappingList', '1.1', {objects: cells});
    case 'CellMapping.get_by_uuid':
      return found(cells[(api?.cells ?? []).findIndex(({uuid}) => uuid === first)], 'CellMappingNotFound');
    case 'HostMapping.get_by_host': {
      const uuid = api?.mappings.get(String(first));
      const mapped = cells[(api?.cells ?? []).findIndex(one => one.uuid === uuid)];
      if (mapped === undefined) throw remote('HostMappingNotFound', `Host '${first}' is not mapped to any cell`);
      return object('HostMapping', '1.0', {host: first, cell_mapping: mapped});
    }
    case 'ComputeNodeList.get_by_pagination':
      return object('ComputeNodeList', '1.17', {objects: (cell?.nodes ?? []).slice(0, Number(first)).map(nodeObject)});
    case 'ComputeNode.get_by_uuid':
      return nodeObject(
        found(
          cell?.nodes.find(({uuid}) => uuid === first),
          'ComputeHostNotFound',
        ),
      );
    case 'Service.get_by_host_and_binary': {
      const row = cell?.services.find(({host, binary}) => host === first && binary === second);
      return row === undefined ? null : object('Service', '1.22', {...row, report_count: 1, version: 66});
    }
    default:
      throw new Error(`nobody wrote ${call}`);
  }
}

function write({api, cell}: {api?: ApiTables; cell?: CellTables}, call: string, data: Row): void {
  switch (call) {
    case 'HostMapping.create': {
      const host = String(data['host']);
      if (api?.mappings.has(host)) throw remote('DBDuplicateEntry', 'Duplicate entry');
      api?.mappings.set(host, String((data['cell_mapping'] as Draft).data['uuid']));
      return;
    }
    case 'ComputeNode.save':
      return void Object.assign(cell?.nodes.find(({id}) => id === data['id']) ?? {}, data);
    case 'Service.save':
      return void Object.assign(cell?.services.find(({id}) => id === data['id']) ?? {}, data);
    default:
      throw new Error(`nobody wrote ${call}`);
  }
}

const nodeObject = (row: NodeRow) => object('ComputeNode', '1.19', {...row, deleted: false});

const object = (name: string, version: string, data: Row) => ({
  'nova_object.name': name,
  'nova_object.namespace': 'nova',
  'nova_object.version': version,
  'nova_object.data': data,
  'nova_object.changes': [],
});

function found<T>(row: T | undefined, exception: string): T {
  if (row === undefined) throw remote(exception, 'there is none');
  return row;
}

export const remote = (name: string, message: string) =>
  new RemoteError('RPC', {class: name, module: 'nova.exception', message, args: [], kwargs: {}, traceback: ''});
