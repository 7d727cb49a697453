/** As much of Keystone as a session needs, on a real socket. */
import type {OutgoingHttpHeaders} from 'node:http';
import {type Handler, sendJson, startServer, type TestServer} from './with-server.ts';

export type Issue = {lifetime?: number; issued?: Date; catalog?: unknown; headers?: OutgoingHttpHeaders};

/** Issues s3cr3t-token-1, s3cr3t-token-2, … */
export function startKeystone(issue: Issue = {}): Promise<TestServer> {
  return startServer(({count}, response) => sendToken(response, count, issue));
}

/** The answer to POST /v3/auth/tokens; lifetime in seconds. */
export function sendToken(response: Parameters<Handler>[1], count: number, issue: Issue = {}): void {
  const {lifetime = 3600, issued = new Date(), catalog = [], headers} = issue;
  const expires = new Date(issued.getTime() + lifetime * 1000);
  const token = {issued_at: issued.toISOString(), expires_at: expires.toISOString(), catalog, methods: ['password']};
  sendJson(response, 201, {token}, {'x-subject-token': `s3cr3t-token-${count}`, ...headers});
}

/** Auth options of a user whose password is a secret. */
export const cellarUser = (url: string) => ({
  auth_type: 'password',
  auth_url: url,
  username: 'cellar',
  password: 's3cr3t-password',
  user_domain_name: 'Default',
  project_name: 'service',
  project_domain_name: 'Default',
});

/** A catalog with one image endpoint. */
export const imageCatalog = (url: string) => [
  {type: 'image', name: 'glance', endpoints: [{interface: 'public', region: 'RegionOne', region_id: 'RegionOne', url}]},
];
