/** Who may have what done, and which cell a host is in: decisions only, of what Keystone, TLS and Nova say. */
import {CellarError} from '../core/errors.ts';
import type {OfDomain, TokenFacts} from '../keystone/validate.ts';
import {sameBus} from '../nova/bus.ts';
import {type Cell, type Claim, fits, listed, nameOf, withHosts} from '../nova/cells.ts';
import type {ComputeNode, Service} from '../nova/objects.ts';
import type {HostRequest} from './wire.ts';

/** Who asks, as it is known after the check of what was shown. */
export type Caller = {
  /** For the audit log: `user nova (Default) in project service (Default)`, `certificate compute-1.example`. */
  by: string;
  /** The only hosts that may be registered; undefined: any. */
  hosts?: readonly string[];
};

/** `domain`: by id or name, where a project that is accepted by its name must be. */
export type TokenRules = {roles: readonly string[]; projects: readonly string[]; domain: string};

/** With their domains: elsewhere there may be others of the same names. */
const toldUser = ({user, project}: TokenFacts): string =>
  `user ${toldWithDomain(user)}${project === undefined ? '' : ` in project ${toldWithDomain(project)}`}`;

const toldWithDomain = ({name, domain}: OfDomain): string => (domain === undefined ? name : `${name} (${domain.name})`);

/** Whoever may see which cell any host is in, and Nova would tell as much; undefined: not this one. */
export const administrator = (facts: TokenFacts): Caller | undefined =>
  facts.roles.includes('admin') ? {by: toldUser(facts)} : undefined;

/** `forbidden` for a token without an accepted role, or of a project that is not accepted. */
export function callerOfToken(facts: TokenFacts, rules: TokenRules): Caller {
  const {project, roles} = facts;
  const by = toldUser(facts);
  if (!roles.some(role => rules.roles.includes(role))) {
    throw new CellarError('forbidden', `${by} has none of the roles ${rules.roles.join(', ')}`, {
      hint: 'give it one in its project, or log in as a service user',
    });
  }
  if (rules.projects.length === 0 || (project !== undefined && isAccepted(project, rules))) return {by};
  throw new CellarError('forbidden', `${by} is not of a project that may register hosts`, {
    hint: `see [registrar] projects: names there are of domain ${rules.domain}; ids are of any`,
  });
}

/** Whoever may make projects in a domain of his own chooses their names. */
function isAccepted({id, name, domain}: OfDomain, {projects, domain: ours}: TokenRules): boolean {
  if (projects.includes(id)) return true;
  // Keystone takes a domain's name in any case.
  const here = [domain?.id, domain?.name].some(one => one?.toLowerCase() === ours.toLowerCase());
  return here && projects.includes(name);
}

/** As much of a TLS peer's certificate as counts. */
export type PeerCertificate = {subject?: {CN?: string | string[]}; subjectaltname?: string};

/** The hosts that a certificate is of: its DNS names, or without any its common name. Wildcards name no host. */
export function hostsOf({subject, subjectaltname = ''}: PeerCertificate): string[] {
  const alternatives = subjectaltname.split(', ').flatMap(one => /^DNS:([^",\s]+)$/.exec(one)?.[1] ?? []);
  const common = [subject?.CN ?? []].flat();
  const names = /(^|, )DNS:/.test(subjectaltname) ? alternatives : common;
  return names.filter(name => !name.includes('*')).map(name => name.toLowerCase());
}

/** `forbidden` for a host that is not the caller's own. */
export function mayRegister({by, hosts}: Caller, host: string): void {
  if (hosts === undefined || hosts.includes(host.toLowerCase())) return;
  throw new CellarError('forbidden', `${by} may not register host ${host}`, {
    hint: "a host's certificate must name its [DEFAULT] host",
    object: host,
  });
}

/** A name or a uuid, as it was written. */
export function claimOf(text: string | null): Claim {
  if (text === null) return {};
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? {uuid: text} : {name: text};
}

export type Says = Pick<HostRequest, 'host' | 'cell' | 'bus'>;

/**
 * The cell of a host by what it says: its claim, which its message bus must not contradict; else the cell of its message bus;
 * else the default cell; else the only one. Whether the host is really there is for that cell's database to say. Fails with
 * `conflict`.
 */
export function chooseForHost(says: Says, cells: readonly Cell[], defaultCell: string | undefined): Cell {
  const {host, cell: text, bus} = says;
  const real = withHosts(cells);
  const here = bus === null ? [] : real.filter(cell => cell.bus !== undefined && sameBus(cell.bus, bus));
  if (text !== null) {
    const claimed = one(real, text, `${host} says it is in`);
    if (here.length === 0 || here.includes(claimed)) return claimed;
    throw new CellarError(
      'conflict',
      `${host} says it is in ${nameOf(claimed)}, and its message bus is that of ${listed(here)}`,
      {hint: 'correct [cell], or [DEFAULT] transport_url: nothing was mapped', object: host},
    );
  }
  const [only, another] = here.length > 0 ? here : real;
  if (another !== undefined && here.length > 0) {
    throw new CellarError('conflict', `the message bus of ${host} is that of several cells: ${listed(here)}`, {
      hint: 'set [cell] uuid to the one it is in',
      object: host,
    });
  }
  if (here.length === 0 && defaultCell !== undefined) return one(real, defaultCell, '[registrar] default_cell is');
  if (only !== undefined && another === undefined) return only;
  throw new CellarError('conflict', `${host} says no cell, and its message bus is that of none of ${listed(real)}`, {
    hint: 'set [cell] uuid of the host, or [registrar] default_cell',
    object: host,
  });
}

function one(cells: readonly Cell[], text: string, whose: string): Cell {
  const [found, second] = cells.filter(cell => fits(claimOf(text), cell));
  if (found !== undefined && second === undefined) return found;
  const what = found === undefined ? `is not among ${listed(cells)}` : 'is the name of several cells';
  throw new CellarError('conflict', `${whose} ${text}, which ${what}`, {
    hint: '`nova-manage cell_v2 list_cells` prints names and uuids; a uuid is never of two',
  });
}

/** `conflict` unless the record, in the cell's own database, is of this host and node. */
export function checkRecord(record: ComputeNode | undefined, asked: HostRequest, to: Cell): void {
  const {host, node, uuid} = asked;
  const there = record !== undefined && !record.deleted;
  if (there && record.host === host && record.hypervisor_hostname === node) return;
  const what = there
    ? `is node ${record.hypervisor_hostname} of host ${record.host} there, not node ${node}`
    : 'is not in its database';
  throw new CellarError('conflict', `${host} is not mapped to ${nameOf(to)}: compute node ${uuid} ${what}`, {
    hint: `the host's record is in another cell, or gone: see [DEFAULT] transport_url and [cell] of ${host}`,
    object: host,
  });
}

/** Is this one of the cells whose hosts wait to be moved? */
export const isStaging = (cell: Pick<Cell, 'name' | 'uuid'>, staging: readonly string[]): boolean =>
  staging.some(text => fits(claimOf(text), cell));

/** Those of the staging cells, as they were written, that are no cell with hosts. */
export const strayStaging = (cells: readonly Cell[], staging: readonly string[]): string[] =>
  staging.filter(text => !withHosts(cells).some(cell => fits(claimOf(text), cell)));

/** What to do with the nova-compute of a host in a staging cell before the host is mapped there. */
export type Staging = 'wait' | 'disable' | 'done';

/** A service that is not there cannot be disabled, and one that is mapped first would be scheduled onto. */
export const planStaging = (compute: Pick<Service, 'disabled'> | undefined): Staging =>
  compute === undefined ? 'wait' : compute.disabled ? 'done' : 'disable';

/** At most 255 characters: the column's. */
export const stagingReason = ({name, uuid}: Pick<Cell, 'name' | 'uuid'>): string =>
  `cellar: staging cell ${(name || uuid).slice(0, 120)}; move the host with: cellar host move`;
