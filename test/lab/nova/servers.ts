/** Nova's and Placement's APIs as tests use them. */
import {type Account, apiFetch} from '../keystone-api.ts';
import {waitFor} from '../run.ts';
import type {NovaState} from './state.ts';

/** One call; the parsed answer. Anything but 2xx is an error with the answer in it. */
export type Api = <T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: object,
  options?: {account?: Account},
) => Promise<T>;

export type ServerRecord = {
  id: string;
  name: string;
  status: string;
  fault?: {message: string};
  'OS-EXT-SRV-ATTR:host': string | null;
  'OS-EXT-SRV-ATTR:instance_name': string;
  'OS-EXT-STS:task_state': string | null;
  'OS-EXT-STS:vm_state': string;
};

export type NewServer = {
  /** Id of the image. */
  image: string;
  name?: string;
  /** The compute it must run on; else the scheduler chooses. */
  host?: string;
  /** tiny (1 GiB, 128 MiB of memory), the default, or small (2 GiB). */
  flavor?: string;
  account?: Account;
};

export type Servers = {
  /** Asks for one and waits until it is ACTIVE or ERROR. */
  create(server: NewServer): Promise<ServerRecord>;
  /** The same without waiting. */
  request(server: NewServer): Promise<{id: string}>;
  show(id: string): Promise<ServerRecord>;
  /** Until it has no task and one of these statuses; ERROR ends the wait too. */
  settled(id: string, ...statuses: string[]): Promise<ServerRecord>;
  /** `POST /servers/{id}/action`; the headers matter for createImage. */
  action(id: string, body: object): Promise<Response>;
  /** Comes back when it is gone. */
  delete(id: string): Promise<void>;
};

export type Token = (account?: Account) => Promise<string>;

export const novaVersion = {'OpenStack-API-Version': 'compute 2.90'};
const placementVersion = {'OpenStack-API-Version': 'placement 1.39'};

export const novaApi = (nova: NovaState, token: Token) => api(nova.novaUrl, novaVersion, token);
export const placementApi = (nova: NovaState, token: Token) => api(nova.placementUrl, placementVersion, token);

function api(base: string, headers: Record<string, string>, token: Token): Api {
  return async (method, path, body, {account} = {}) => {
    const response = await apiFetch(`${base}${path}`, {token: await token(account), method, body, headers});
    const text = await response.text();
    return text === '' ? {} : JSON.parse(text);
  };
}

export function serversOf(nova: NovaState, token: Token): Servers {
  const call = novaApi(nova, token);
  const show = async (id: string) => (await call<{server: ServerRecord}>('GET', `/servers/${id}`)).server;
  const request: Servers['request'] = async ({image, name = 'test', host, flavor = 'tiny', account}) => {
    const wanted = {name, imageRef: image, flavorRef: flavor, networks: 'none', ...(host === undefined ? {} : {host})};
    const {server} = await call<{server: {id: string}}>('POST', '/servers', {server: wanted}, account && {account});
    return server;
  };
  const settled: Servers['settled'] = async (id, ...statuses) => {
    const ready = async () => {
      const server = await show(id);
      const done = server['OS-EXT-STS:task_state'] === null && statuses.includes(server.status);
      if (!done && server.status !== 'ERROR') throw new Error(`server ${id} is ${server.status}`);
      return server;
    };
    return await waitFor(`server ${id} as ${statuses.join(' or ')}`, ready, {everyMs: 200, timeoutMs: 300_000});
  };

  return {
    show,
    request,
    settled,
    create: async server => settled((await request(server)).id, 'ACTIVE'),
    async action(id, body) {
      const url = `${nova.novaUrl}/servers/${id}/action`;
      return await apiFetch(url, {token: await token(), method: 'POST', body, headers: novaVersion});
    },
    async delete(id) {
      await call('DELETE', `/servers/${id}`);
      const gone = async () => {
        const {servers} = await call<{servers: {id: string}[]}>('GET', `/servers?all_tenants=1&uuid=${id}`);
        if (servers.length > 0) throw new Error(`server ${id} is still there`);
      };
      await waitFor(`the end of server ${id}`, gone, {everyMs: 200});
    },
  };
}

/** Flavors with the ids tiny and small. */
export async function makeFlavors(nova: NovaState, token: Token): Promise<void> {
  const call = novaApi(nova, token);
  for (const [id, disk] of [
    ['tiny', 1],
    ['small', 2],
  ] as const)
    await call('POST', '/flavors', {flavor: {id, name: id, ram: 128, vcpus: 1, disk}});
}
