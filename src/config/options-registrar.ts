import {list} from './containers.ts';
import {address} from './names.ts';
import {ours, oursIfSet} from './option.ts';
import {boolean, choice, filled, integer, string} from './types.ts';

const atLeast = (min: number, max?: number) => filled(integer(max === undefined ? {min} : {min, max}));

/** The section of cellar-registrar, and of the agents that ask it. */
export const registrarOptions = {
  registrar: {
    url: oursIfSet(filled(string()), {
      help: 'Of agents, and of `cellar host`: where the cellar-registrar is, such as https://registrar.example:8790.',
      reason: 'Not set: nobody is asked.',
    }),
    cafile: oursIfSet(filled(string()), {
      help: "Of agents: PEM file of the authorities that vouch for the registrar's certificate.",
      reason: "Not set: the system's authorities.",
    }),
    certfile: oursIfSet(filled(string()), {
      help: 'Of agents: PEM file of the certificate to show to the registrar.',
      reason: 'Not set: the agent shows its token only.',
    }),
    keyfile: oursIfSet(filled(string()), {
      help: 'Of agents: PEM file of the key of that certificate.',
      reason: "Not set: it stands in the certificate's file.",
    }),
    timeout: ours(atLeast(1), {
      default: '60',
      unit: 'seconds',
      help: 'How long one request takes at most: of agents until they give it up, of the registrar until it answers without an end.',
      reason: "Nova's rpc_response_timeout; an answer takes some ten calls of as many milliseconds.",
    }),
    listen: ours(filled(address()), {
      default: '127.0.0.1:8790',
      help: 'Where cellar-registrar serves HTTPS.',
      reason: 'Reachable for nobody until somebody decides which network the agents reach it on.',
    }),
    metrics_listen: ours(address(), {
      default: '',
      help: 'Where cellar-registrar serves its metrics to Prometheus, as GET /metrics without TLS, such as 10.0.0.5:9299. Empty: nowhere.',
      reason: 'Whoever reaches the address reads them: how much is asked and refused, and no name of a host or a cell.',
    }),
    tls_cert: oursIfSet(filled(string()), {
      help: 'PEM file of the certificate of cellar-registrar, with those between it and the authority.',
      reason: 'Not set: it does not start, unless plain_http is true.',
    }),
    tls_key: oursIfSet(filled(string()), {
      help: 'PEM file of the key of that certificate.',
      reason: "Not set: it stands in the certificate's file.",
    }),
    plain_http: ours(boolean(), {
      default: 'false',
      help: 'Serve HTTP without TLS. Only on a loopback address, for a proxy on the same host that does TLS, or for a trial.',
      reason: 'Tokens must not travel in the clear.',
    }),
    auth: ours(choice(['token', 'certificate', 'both']), {
      default: 'token',
      help: 'What a caller must show: a token of Keystone, a client certificate, or both.',
      reason: 'Every compute host has a login at Keystone; not every deployment has certificates for hosts.',
    }),
    auth_section: ours(filled(string()), {
      default: 'keystone_authtoken',
      help: "The section with the login of cellar-registrar at Keystone, by which it has callers' tokens validated.",
      reason: 'Where it runs, nova-api runs, which has such a login for the same purpose.',
    }),
    roles: ours(list(filled(string())), {
      default: 'service',
      help: 'A token must have one of these roles.',
      reason: "The role of Nova's service users. Any role of a user's would let users write into Nova's databases.",
    }),
    projects: ours(list(filled(string())), {
      default: '',
      help: "A token must be of one of these projects: by id, or by name in the domain of the registrar's own project (project_domain_name or project_domain_id of its login, else the default domain); empty: of any.",
      reason: 'The role says enough where only services have it.',
    }),
    client_ca: oursIfSet(filled(string()), {
      help: 'PEM file of the authorities that vouch for client certificates.',
      reason: 'Not set: certificates count for nothing.',
    }),
    certificate_names_host: ours(boolean(), {
      default: 'true',
      help: 'A client certificate lets its owner register only the host it names: a DNS name in it, or without any its common name, must be [DEFAULT] host of that host.',
      reason: 'A stolen certificate then moves one host only.',
    }),
    default_cell: oursIfSet(filled(string()), {
      help: 'The cell, by name or uuid, of a host that names none and whose message bus tells none. Its own database must hold the host all the same.',
      reason: 'Not set: such a host is refused, unless there is one cell only.',
    }),
    staging_cells: ours(list(filled(string())), {
      default: '',
      help: 'Staging cells, by name or uuid: cells in which hosts wait, and are not scheduled onto, until `cellar host move` takes them to the cell they are for. Such a cell is one like others, with a message bus, a database and a conductor; make it first, with `nova-manage cell_v2 create_cell`: while a name here is that of no cell, no host of any cell is mapped. A host that registers there needs its nova-compute, which is disabled before the host is mapped; until it has started once, the agent waits.',
      reason: 'None: a mapped host is a host in use.',
    }),
    rate_limit: ours(atLeast(0), {
      default: '60',
      help: 'Requests a minute of one address (of IPv6, one /64), before anything is asked of Keystone or Nova; 0: any number.',
      reason:
        'An agent makes two for each attempt, and pauses up to a minute between attempts. Behind a proxy all have one address.',
    }),
    max_connections: ours(atLeast(1), {
      default: '512',
      help: 'Connections that are served at once; more are closed.',
      reason: 'A cell of hosts that start together.',
    }),
    max_requests: ours(atLeast(1), {
      default: '64',
      help: 'Requests that are worked on at once; more are told to come back.',
      reason: "As many as a conductor has workers, which are not only the registrar's.",
    }),
    log_level: ours(choice(['debug', 'info', 'warn', 'error']), {
      default: 'info',
      help: 'What cellar-registrar logs, and everything more severe. Each change in Nova is a line of level info.',
      reason: 'One line for each change and each refusal.',
    }),
  },
};
