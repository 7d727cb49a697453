/** Keystone and Glance, as the agent meets them, and their clocks. */
import {asCellarError, CellarError} from '../../core/errors.ts';
import {Endpoints} from '../../glance/endpoints.ts';
import {exchangeText} from '../../http/exchange.ts';
import {Transport, type TransportOptions} from '../../http/transport.ts';
import {tokensUrl} from '../../keystone/auth.ts';
import {type Check, ok, warn} from '../check.ts';
import type {Context} from '../context.ts';

/** Seconds that a clock may be off: tokens are refused, and leases read wrongly, for less than people think. */
const maxSkew = 2;
const answerLimit = 8 * 1024 * 1024;
/** Seconds for one answer. */
const timeout = 15;

export const openstackChecks: Check[] = [
  {
    id: 'keystone',
    title: 'the agent can log in at Keystone, with the `service` or `admin` role',
    needs: ['config'],
    async run(context, signal) {
      const session = context.session();
      const {keystone} = context.settings();
      if (session === undefined || keystone === undefined)
        return warn(
          'no login is configured: only requests that bring a token are served',
          'set auth_type and the login in [service_user]',
        );
      const token = await session.token(signal).catch(asking('the agent cannot log in', loginHint(context)));
      const headers = {'X-Auth-Token': token, 'X-Subject-Token': token};
      const {status, text} = await get(tokensUrl(keystone.auth.auth_url), headers, keystone.session, signal);
      const who = `${keystone.auth.username ?? keystone.auth.user_id ?? 'the agent'} at ${keystone.auth.auth_url}`;
      if (status !== 200)
        return warn(
          `${who}: logged in, but its roles were not told (status ${status})`,
          'openstack role assignment list',
        );
      const names = rolesIn(text);
      const seen = `${who}, roles: ${names.join(', ') || 'none'}`;
      if (names.includes('service') || names.includes('admin')) return ok(seen);
      return warn(
        `${seen}: Glance does not list the locations of images for it`,
        'openstack role add --user USER --project service service',
      );
    },
  },
  {
    id: 'glance',
    title: 'Glance answers the agent',
    needs: ['keystone'],
    async run(context, signal) {
      const {glance} = context.settings();
      const session = context.session();
      const servers = await new Endpoints(glance, session).list(signal);
      const token = await session?.token(signal);
      const headers = token === undefined ? {} : {'X-Auth-Token': token};
      return Promise.all(
        servers.map(async server => {
          const {status, statusLine, text} = await get(`${server}/v2/images?limit=1`, headers, glance, signal).catch(
            asking(`Glance at ${server}`, `curl -i ${server}/versions`),
          );
          if (status !== 200 && token !== undefined)
            throw new CellarError('unavailable', `Glance at ${server} answered ${statusLine}`, {
              hint: `curl -i ${server}/versions; see Glance's log`,
            });
          return ok(`${server} answers; ${locationsIn(text)}`);
        }),
      );
    },
  },
  {
    id: 'clock',
    title: `the clocks of this host and of OpenStack are within ${maxSkew} s of each other`,
    needs: ['keystone'],
    async run(context, signal) {
      const {keystone, glance} = context.settings();
      const servers = await new Endpoints(glance, context.session()).list(signal).catch(() => []);
      for (const url of [...(keystone ? [keystone.auth.auth_url] : []), ...servers]) {
        const before = Date.now();
        const answer = await get(url, {}, keystone?.session ?? glance, signal).catch(() => undefined);
        const skew = skewOf(answer?.headers.date, before, Date.now());
        if (skew === undefined) continue;
        const seen = `${skew.toFixed(1)} s apart from ${new URL(url).host}`;
        return skew > maxSkew ? warn(seen, 'chronyc tracking; timedatectl set-ntp true, on both') : ok(seen);
      }
      return warn('neither Keystone nor Glance tells the time: the clock was compared with nothing', 'timedatectl');
    },
  },
];

/** Seconds that the clocks are apart at least: a Date header has whole ones, and the answer took its time. */
export function skewOf(date: string | undefined, before: number, after: number): number | undefined {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return undefined;
  return Math.max(0, theirs - after, before - (theirs + 1000)) / 1000;
}

async function get(url: string, headers: Record<string, string>, options: TransportOptions, signal: AbortSignal) {
  const transport = new Transport({...options, timeout});
  try {
    return await exchangeText(transport, {method: 'GET', url, headers, signal}, answerLimit);
  } finally {
    transport.close();
  }
}

/** The same failure with what was asked, and what to do. */
const asking = (what: string, hint: string) => (error: unknown) => {
  const {kind, message} = asCellarError(error);
  throw new CellarError(kind, `${what}: ${message}`, {hint, cause: error});
};

const loginHint = ({config}: Context) => {
  const section = config.get('agent', 'auth_section');
  return `openstack token issue, with the login of [${section}]; correct it there, or [agent] auth_section`;
};

function rolesIn(text: string): string[] {
  const {token} = JSON.parse(text) as {token?: {roles?: {name: string}[]}};
  return token?.roles?.map(({name}) => name) ?? [];
}

/** What an image's record shows of where its bytes are, in a list of at most one. */
function locationsIn(text: string): string {
  let images: Record<string, unknown>[];
  try {
    images = (JSON.parse(text) as {images?: Record<string, unknown>[]}).images ?? [];
  } catch {
    images = [];
  }
  const [image] = images;
  if (image === undefined) return 'it shows no image';
  return 'locations' in image || 'direct_url' in image
    ? 'it shows the locations of images'
    : 'it does not show the locations of images, which are cached all the same';
}
