import {randomUUID} from 'node:crypto';

/** A request's context: what Nova's RequestContext is made of on the other side. */
export type RequestContext = Record<string, unknown>;

/** The context of a service's own work. Conductors do not check it: who reaches the message bus is trusted. */
export const serviceContext = (): RequestContext => ({
  is_admin: true,
  read_deleted: 'no',
  roles: [],
  request_id: `req-${randomUUID()}`,
});
