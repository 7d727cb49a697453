import type {Table, Value} from './option.ts';
import {cellarOptions} from './options-cellar.ts';
import {messagingOptions} from './options-messaging.ts';
import {novaOptions} from './options-nova.ts';
import {registrarOptions} from './options-registrar.ts';

/**
 * Every option cellar reads. The types `get` returns, the sample file, docs/configuration.md and `cellar config show` all come
 * from here.
 */
export const options = {...cellarOptions, ...registrarOptions, ...novaOptions, ...messagingOptions} satisfies Table;

export type Options = typeof options;
export type GroupName = keyof Options;
export type OptionName<G extends GroupName> = keyof Options[G] & string;
export type OptionValue<G extends GroupName, N extends OptionName<G>> = Value<Options, G, N>;

/** What each section is for. */
export const groupHelp: Record<GroupName, string> = {
  cell: 'Which cell this host is in, and how to make sure of it.',
  image_store: "The cell's Ceph: where cached copies and disks live, and how patient to be with it.",
  agent: 'The daemon itself.',
  facade: 'Glance on this host, for a nova-compute that knows nothing of cellar. See operations.md.',
  registrar:
    'cellar-registrar, which maps hosts to cells for agents that may not, and how agents reach it. See operations.md.',
  DEFAULT: 'Read from nova.conf.',
  libvirt: 'Read from nova.conf.',
  image_cache: "Read from nova.conf: Nova's local image cache.",
  workarounds: 'Read from nova.conf.',
  glance: 'Read from nova.conf: how to reach Glance.',
  service_user:
    'Read from nova.conf: how the agent logs in at Keystone. `[agent] auth_section` may name another section with the same options.',
  oslo_messaging_rabbit: "Read from nova.conf: how to reach the cell's RabbitMQ, where the agent registers its host.",
};
