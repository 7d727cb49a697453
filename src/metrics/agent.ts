/** The metrics of cellar-agent: the one list, from which docs/metrics.md is made. */
import {type ErrorKind, errorKinds} from '../core/errors.ts';
import {janitorSteps, notOffered, retireReasons} from '../core/events.ts';
import {counter, gauge, histogram} from './metric.ts';

const kind = Object.keys(errorKinds) as ErrorKind[];

/** Operations on the cell's Ceph as the core asks for them; each is one or more of RADOS. */
export const cephOperations = [
  'fsid',
  'parent-state',
  'disk-state',
  'disk-clone',
  'disk-grow',
  'disk-complete',
  'disk-remove',
  'copy-create',
  'copy-remove',
  'copy-list',
  'pool-room',
  'index-read',
  'index-write',
  'lease',
  'intent',
  'usage',
  'trash',
] as const;

export const glanceOperations = ['show', 'locations', 'list', 'download'] as const;

const seconds = {
  /** One operation on a cluster. */
  ceph: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  /** One request over HTTP. */
  http: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  /** A disk, with the fill that it may need. */
  disk: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
  /** A transfer. */
  fill: [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600],
};

const states = {
  registration: ['off', 'waiting', 'registered', 'mapped', 'refused'],
  partner: ['ceph', 'glance', 'keystone'],
  status: ['2xx', '3xx', '4xx', '5xx', 'none'],
} as const;

export const agentMetrics = {
  cellar_disk_duration_seconds: histogram(
    'Disks that were made or found whole, and how long each request took, by the road: `location` is a clone of an image in the cell, `cached` of the copy, `filled` with the fill before it, `exists` stood already.',
    {road: ['exists', 'location', 'cached', 'filled']},
    seconds.disk,
  ),
  cellar_disk_failures_total: counter('Requests for a disk that failed, by kind of error.', {kind}),
  cellar_disk_repairs_total: counter('Unfinished disks of dead makers that were removed.'),
  cellar_disk_repair_failures_total: counter('Unfinished disks that could not be removed for now.'),

  cellar_fill_duration_seconds: histogram(
    'Fills of the cell by this agent, and how long each took from its lease to its entry in the index, or to its failure.',
    {outcome: ['published', 'failed']},
    seconds.fill,
  ),
  cellar_fill_failures_total: counter('Fills that failed, by kind of error.', {kind}),
  cellar_fills_running: gauge("This agent's fills: those it runs, and those of other hosts that it waits for.", {
    role: ['filling', 'waiting'],
  }),
  cellar_fill_received_bytes_total: counter('Bytes of images that fills took from Glance.'),
  cellar_fill_written_bytes_total: counter('Bytes that published fills stored in the pool.'),
  cellar_fill_hole_bytes_total: counter('Bytes of published disks that are zeros and were not stored.'),
  cellar_fill_wait_seconds: histogram(
    "Waits for another host's fill, until there was a `copy`, or it was this agent's `turn` because the other had failed or died, or it gave up.",
    {outcome: ['copy', 'turn', 'failed']},
    seconds.fill,
  ),
  cellar_leases_lost_total: counter('Leases that could not be renewed in time.', {lease: ['fill', 'janitor']}),

  cellar_cache_copies: gauge(
    'Copies in the cell: `cached` ones can be cloned, `pinned` of these are never evicted, `retired` ones wait for their last clone, `quarantined` ones are damaged. Told by the agents that looked: the janitor in each of its rounds, others when they fill.',
    {state: ['cached', 'pinned', 'retired', 'quarantined']},
  ),
  cellar_cache_bytes: gauge('Bytes that the copies take in the pool, replicas not counted; from the same look.', {
    state: ['cached', 'retired', 'quarantined'],
  }),
  cellar_cache_limit_bytes: gauge('What max_size and max_fill allow, in bytes; absent without such a bound.', {
    limit: ['max_size', 'max_fill'],
  }),
  cellar_cache_pool_bytes: gauge('The cache pool as `ceph df` says; absent where no ceph-mgr tells.', {
    state: ['used', 'available'],
  }),
  cellar_cache_surveyed_timestamp_seconds: gauge('When this agent looked at the cache, in seconds since 1970.'),
  cellar_copies_retired_total: counter('Copies that were taken out of the index by this agent, by reason.', {
    reason: retireReasons,
  }),
  cellar_copies_removed_total: counter('Copies, whole or half made, that this agent removed from the pool.'),
  cellar_copy_removal_failures_total: counter('Copies that could not be removed for now.'),
  cellar_copies_quarantined_total: counter('Copies whose bytes were not those that were stored.'),
  cellar_verifications_total: counter('Copies that were read back.', {result: ['intact', 'damaged', 'failed']}),
  cellar_janitor_rounds_total: counter("Rounds that this agent did as the cell's janitor."),
  cellar_janitor_timestamp_seconds: gauge(
    "When this agent's last round as the janitor was done, or, before its first one, when it started; in seconds since 1970.",
  ),
  cellar_janitor_interval_seconds: gauge('janitor_interval.'),
  cellar_janitor_failures_total: counter("Steps of the janitor's rounds that failed.", {step: janitorSteps}),

  cellar_partner_up: gauge(
    'Whether the partner answered when it was asked last: 1, or 0; absent as long as it was not asked. One that is down is asked again every half minute.',
    {partner: states.partner},
  ),
  cellar_partner_asked_timestamp_seconds: gauge(
    'When the partner answered last, or was found down, in seconds since 1970.',
    {partner: states.partner},
  ),
  cellar_ceph_operation_duration_seconds: histogram(
    "Operations on the cell's Ceph, those that failed included.",
    {operation: cephOperations},
    seconds.ceph,
  ),
  cellar_ceph_errors_total: counter("Operations on the cell's Ceph that failed, by kind of error.", {kind}),
  cellar_glance_request_duration_seconds: histogram(
    "Questions to Glance with all attempts that they took; a download until its first byte. Nova's own through the facade are not among them.",
    {operation: glanceOperations},
    seconds.http,
  ),
  cellar_glance_errors_total: counter('Questions to Glance that failed, by kind of error.', {kind}),
  cellar_keystone_request_duration_seconds: histogram(
    'Tokens that were asked of Keystone, with all attempts; those that were at hand are not counted.',
    {},
    seconds.http,
  ),
  cellar_keystone_errors_total: counter('Tokens that Keystone did not give, by kind of error.', {kind}),
  cellar_native_operations: gauge("Work of the addon: on its threads, and on its way to the cluster's OSDs.", {
    state: ['queued', 'running', 'in-flight'],
  }),

  cellar_facade_shows_total: counter(
    "Records of active images that went through the facade: `offered` with the cell's copy first, others as Glance gave them, by reason.",
    {result: ['offered', ...notOffered]},
  ),
  cellar_facade_held_seconds: histogram(
    'How long such an answer was held.',
    {result: ['offered', 'untouched']},
    seconds.disk,
  ),
  cellar_facade_requests_total: counter(
    'Requests through the facade by the status of the answer; `none`: there was none.',
    {status: states.status},
  ),
  cellar_facade_errors_total: counter('Requests through the facade that Glance did not answer, by kind of error.', {
    kind,
  }),
  cellar_api_requests_total: counter("Requests to the agent's API by the status of the answer.", {
    status: states.status,
  }),
  cellar_api_requests_in_flight: gauge("Requests to the agent's API whose answer is not out yet."),

  cellar_base_files_removed_total: counter("Nova's local copies of cached images that were removed."),
  cellar_base_file_removed_bytes_total: counter('Bytes of this host that this freed.'),
  cellar_base_files_kept_total: counter("Nova's local copies that stay, each counted when it was found so."),
  cellar_base_sweep_failures_total: counter('Times that such files could not be looked for, each reason once.'),

  cellar_registration_state: gauge('How far this host is registered with its cell: 1 for the one that holds.', {
    state: states.registration,
  }),
  cellar_heartbeat_failing: gauge('1 while signs of life of this host do not reach Nova.'),
  cellar_bus_losses_total: counter('Connections to RabbitMQ that were lost.'),
};
