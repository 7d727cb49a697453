/** The lab's Keystone and Glance as tests use them: accounts, tokens, images, and what Glance was asked. */
import {createReadStream} from 'node:fs';
import {Readable} from 'node:stream';
import {glanceLog} from './glance.ts';
import {type GlanceRequest, glanceRequests, logPosition} from './glance-log.ts';
import {adminAccount} from './keystone.ts';
import {type Account, apiCall, issueToken} from './keystone-api.ts';
import type {LabState} from './state.ts';

export type {Account} from './keystone-api.ts';

export type Upload = ({path: string} | {bytes: Uint8Array}) & {
  diskFormat?: string;
  name?: string;
  /** `public` needs the admin's token, which is the default. */
  visibility?: 'public' | 'private' | 'shared' | 'community';
  token?: string;
  /** Further fields of the image: properties, min_disk, os_hidden, … */
  properties?: Record<string, unknown>;
};

export type Uploaded = {id: string; size: number; sha512: string};

export type OpenStack = {
  keystoneUrl: string;
  glanceUrl: string;
  region: string;
  /** Roles: admin. */
  admin: Account;
  /** The agent's own account. Roles: admin and service. */
  service: Account;
  /** A new project with one user, who is a plain member. */
  createProject(name: string): Promise<Account>;
  /** A token; asked for once per account and kept, unless `fresh`. */
  token(account: Account, options?: {fresh?: boolean}): Promise<string>;
  uploadImage(upload: Upload): Promise<Uploaded>;
  /** Adds a location as the admin. Glance checks that pool, image and snapshot are in its own cluster, and ignores the fsid. */
  addLocation(id: string, url: string): Promise<void>;
  deleteImage(id: string): Promise<void>;
  /** Every request that Glance has answered, or those since `glanceMark()`. */
  glanceRequests(since?: number): Promise<GlanceRequest[]>;
  /** Now, for `glanceRequests(since)`. */
  glanceMark(): number;
  /** Bytes that downloads of this image cost Glance, all together; each counts some 400 bytes more than it sent. */
  glanceBytes(imageId: string): Promise<number>;
};

export function openstackOf({base, keystoneUrl, glanceUrl, password}: LabState): OpenStack {
  const admin = adminAccount(password);
  const service = {username: 'cellar', password, project: 'service', domain: 'Default'};
  const images = `${glanceUrl}/v2/images`;
  const tokens = new Map<string, Promise<string>>();

  const token: OpenStack['token'] = (account, {fresh = false} = {}) => {
    const key = JSON.stringify(account);
    const known = fresh ? undefined : tokens.get(key);
    const issued = known ?? issueToken(keystoneUrl, account);
    tokens.set(key, issued);
    return issued;
  };
  const requests = (since?: number) => glanceRequests(glanceUrl, glanceLog(base), since);

  return {
    keystoneUrl,
    glanceUrl,
    region: 'RegionOne',
    admin,
    service,
    token,
    createProject: async name => createProject(keystoneUrl, await token(admin), name),
    uploadImage: async upload => uploadImage(images, upload.token ?? (await token(admin)), upload),
    async addLocation(id, url) {
      const headers = {'Content-Type': 'application/openstack-images-v2.1-json-patch'};
      const body = [{op: 'add', path: '/locations/-', value: {url, metadata: {}}}];
      await apiCall(`${images}/${id}`, {token: await token(admin), method: 'PATCH', headers, body});
    },
    async deleteImage(id) {
      await apiCall(`${images}/${id}`, {token: await token(admin), method: 'DELETE'});
    },
    glanceRequests: requests,
    glanceMark: () => logPosition(glanceLog(base)),
    async glanceBytes(imageId) {
      const path = `/v2/images/${imageId}/file`;
      const downloads = (await requests()).filter(request => request.method === 'GET' && request.path === path);
      return downloads.reduce((sum, {bytes}) => sum + bytes, 0);
    },
  };
}

async function createProject(keystone: string, token: string, name: string): Promise<Account> {
  const account = {username: name, password: `${name}-password`, project: name, domain: 'Default'};
  const post = (path: string, body: object) =>
    apiCall<Record<string, {id: string}>>(`${keystone}/${path}`, {token, method: 'POST', body});
  const [{project}, {user}, {roles}] = await Promise.all([
    post('projects', {project: {name, domain_id: 'default'}}),
    post('users', {user: {name, password: account.password, domain_id: 'default'}}),
    apiCall<{roles: {id: string}[]}>(`${keystone}/roles?name=member`, {token}),
  ]);
  await apiCall(`${keystone}/projects/${project?.id}/users/${user?.id}/roles/${roles[0]?.id}`, {token, method: 'PUT'});
  return account;
}

async function uploadImage(images: string, token: string, upload: Upload): Promise<Uploaded> {
  const {
    diskFormat = 'raw',
    name = 'test image',
    visibility = upload.token ? 'shared' : 'public',
    properties = {},
  } = upload;
  const body = {name, visibility, container_format: 'bare', disk_format: diskFormat, ...properties};
  const {id} = await apiCall<{id: string}>(images, {token, method: 'POST', body});
  // A Blob of a file of more than 4 GiB never ends.
  const data =
    'path' in upload
      ? Readable.toWeb(createReadStream(upload.path, {highWaterMark: 1 << 20}))
      : new Blob([new Uint8Array(upload.bytes)]);
  const response = await fetch(`${images}/${id}/file`, {
    method: 'PUT',
    headers: {'X-Auth-Token': token, 'Content-Type': 'application/octet-stream'},
    body: data,
    duplex: 'half',
    signal: AbortSignal.timeout(600_000),
  });
  if (!response.ok) throw new Error(`upload of image ${id}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
  const record = await apiCall<{size: number; os_hash_value: string}>(`${images}/${id}`, {token});
  return {id, size: record.size, sha512: record.os_hash_value};
}
