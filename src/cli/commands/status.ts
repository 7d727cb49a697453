import type {Argv} from 'yargs';
import type {StatusAnswer} from '../../api/wire.ts';
import {bar} from '../bar.ts';
import {type Act, examples} from '../command.ts';
import type {Mark, Result} from '../output.ts';
import type {Session} from '../session.ts';
import {pairs} from '../table.ts';
import {formatAge, formatSize} from '../units.ts';

export const statusUsage = (yargs: Argv) =>
  yargs.usage(examples('status', ['cellar status', 'cellar status --json | jq .ceph.state']));

/** Says how the agent is; that it answers is success, whatever it says. */
export const statusHandler = (act: Act) => act(show);

async function show(session: Session): Promise<Result> {
  const client = await session.client();
  const status = await client.status(session.call);
  return {json: status, ids: [status.host], text: describe(status), marks};
}

/** How each partner and the registration is; nothing that may stand further right, where names and reasons are. */
const marks: readonly Mark[] = [
  {words: /(?<=^(?:ceph|glance|keystone|spool|registration) +)(?:up|mapped)\b/gm, colour: 'green'},
  {words: /(?<=^(?:ceph|glance|keystone|spool|registration) +)(?:down|refused)\b/gm, colour: 'red'},
  {words: /(?<=^(?:ceph|glance|keystone|spool|registration) +)(?:unknown|waiting)\b/gm, colour: 'yellow'},
];

function describe(status: StatusAnswer): string {
  const {
    version,
    host,
    cell,
    since,
    ceph,
    glance,
    keystone,
    spool,
    registration,
    fills,
    cached,
    requests,
    mishaps = [],
  } = status;
  const where = cell === undefined ? host : `${host}, cell ${cell}`;
  return pairs([
    ['agent', `${version} on ${where}, since ${since}`],
    ['ceph', part(ceph, `${ceph.fsid ?? 'no cluster yet'}, user ${ceph.user}, pool ${ceph.pool}`)],
    ['glance', part(glance, glance.url)],
    ['keystone', part(keystone, keystone.url)],
    ...(spool === undefined || spool.state === 'up' ? [] : [['spool', part(spool, spool.directory)] as const]),
    ...registered(registration),
    ['cached', cached === null ? 'unknown' : inCache(cached)],
    ['requests', String(requests)],
    ...fills.map(
      ({image, received, size}) =>
        ['filling', `${image}, ${formatSize(received)} of ${formatSize(size)} ${bar(received, size, 20)}`] as const,
    ),
    ...mishaps.map(({at, message, requestId}) => {
      const line = `${at} ${message.replace(/\s+/g, ' ')}`;
      return ['went wrong', requestId === undefined ? line : `${line} (${requestId})`] as const;
    }),
  ]);
}

function inCache({images, bytes, stored, limit}: NonNullable<StatusAnswer['cached']>): string {
  const copies = `${images} ${images === 1 ? 'image' : 'images'}, ${formatSize(bytes)}`;
  if (stored === undefined) return copies;
  const taken = `${copies}; they take ${formatSize(stored)}`;
  if (limit === undefined || limit === null) return taken;
  return `${taken} of ${formatSize(limit)} ${bar(stored, limit, 20)}`;
}

/** Nothing where the agent has nothing to do with it. */
function registered({state, why, hint, node, cell}: StatusAnswer['registration']): [string, string][] {
  if (state === 'off') return [];
  const where = [
    ...(node === undefined ? [] : [`node ${node.name} (${node.uuid})`]),
    ...(cell === undefined ? [] : [`cell ${cell.name ?? ''} (${cell.uuid})`]),
  ].join(' in ');
  return [
    ['registration', part({state, ...(why !== undefined && {why})}, where || null)],
    ...(hint ? [['', hint] as [string, string]] : []),
  ];
}

/** How old an answer is matters as much as what it was. */
function part({state, asked, why}: {state: string; asked?: string; why?: string}, what: string | null): string {
  const age = asked === undefined ? [] : [`asked ${formatAge(Date.now() - Date.parse(asked))} ago`];
  return [state, ...(what === null ? [] : [what]), ...age].join(', ') + (why === undefined ? '' : ` (${why})`);
}
