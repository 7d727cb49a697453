import {hostDomain} from './addresses.ts';
import {list} from './containers.ts';
import {hostAddress, hostName} from './host.ts';
import {novas, novasIfSet} from './option.ts';
import {boolean, choice, float, integer, string} from './types.ts';

const asNova = "Nova's default.";
const unset = 'Not set, as in Nova.';

const ratio = (help: string) =>
  novasIfSet(float(), {help, reason: "Not set: the conductor fills in its own, which is its release's default."});

/** Nova's options that cellar reads, with Nova's own names, types and defaults: a host that runs Nova sets them already. */
export const novaOptions = {
  DEFAULT: {
    host: novas(hostDomain(), {
      default: hostName,
      help: 'The name of this host in Nova: of its services, its compute node and its host mapping.',
      reason: asNova,
    }),
    my_ip: novas(string(), {
      default: hostAddress,
      help: 'The address of this host on the management network.',
      reason: 'What Nova guesses.',
    }),
    state_path: novas(string(), {
      default: '/var/lib/nova',
      help: "The directory of Nova's state.",
      reason: "Where distributions put it. Nova's built-in default is the directory of its own Python code.",
    }),
    instances_path: novas(string(), {
      default: '$state_path/instances',
      help: "The directory of Nova's instances, and of the local image cache below `_base`.",
      reason: asNova,
    }),
    force_raw_images: novas(boolean(), {
      default: 'true',
      help: 'Whether Nova converts images to raw. It refuses to start without on a host whose images_type is `rbd`.',
      reason: asNova,
    }),
    transport_url: novas(string(), {
      default: 'rabbit://',
      secret: true,
      help: "The message bus of this host's cell.",
      reason: asNova,
    }),
    control_exchange: novas(string(), {
      default: 'nova',
      help: "The exchange of Nova's messages.",
      reason: asNova,
    }),
    rpc_response_timeout: novas(integer({min: 1}), {
      default: '60',
      unit: 'seconds',
      help: "How long to wait for a conductor's answer.",
      reason: asNova,
    }),
    report_interval: novas(integer({min: 1}), {
      default: '10',
      unit: 'seconds',
      help: 'How often the agent gives a sign of life as a service of Nova, where it registers its host.',
      reason: asNova,
    }),
    cpu_allocation_ratio: ratio('The compute node of a new host is made with it.'),
    ram_allocation_ratio: ratio('The compute node of a new host is made with it.'),
    disk_allocation_ratio: ratio('The compute node of a new host is made with it.'),
    initial_cpu_allocation_ratio: ratio('The same, where the ratio itself is not set.'),
    initial_ram_allocation_ratio: ratio('The same, where the ratio itself is not set.'),
    initial_disk_allocation_ratio: ratio('The same, where the ratio itself is not set.'),
  },
  libvirt: {
    images_type: novas(choice(['raw', 'flat', 'qcow2', 'lvm', 'rbd', 'ploop', 'default']), {
      default: 'default',
      help: 'How Nova stores instance disks. cellar serves hosts where it is `rbd`.',
      reason: asNova,
    }),
    images_rbd_pool: novas(string(), {default: 'rbd', help: 'The pool of the instance disks.', reason: asNova}),
    images_rbd_ceph_conf: novas(string(), {
      default: '',
      help: "The configuration file of the cell's Ceph; empty: librados looks in its usual places.",
      reason: asNova,
    }),
    rbd_connect_timeout: novas(integer(), {
      default: '5',
      unit: 'seconds',
      help: 'How long Nova tries to connect to Ceph; it is kept from a local copy for twice as long before that is removed.',
      reason: asNova,
    }),
    rbd_user: novasIfSet(string(), {
      help: "Nova's own cephx user, without `client.`. The agent does not use it, and tells Nova's rights on the cache pool by it.",
      reason: unset,
    }),
    connection_uri: novas(string(), {
      default: '',
      help: "Nova's libvirt, which is asked for the name of this hypervisor; empty: qemu:///system.",
      reason: asNova,
    }),
    rbd_secret_uuid: novasIfSet(string(), {help: "The libvirt secret that holds that user's key.", reason: unset}),
  },
  image_cache: {
    subdirectory_name: novas(string(), {
      default: '_base',
      deprecated: [{group: 'DEFAULT', name: 'image_cache_subdirectory_name'}],
      help: "The directory of Nova's local image cache, in instances_path.",
      reason: asNova,
    }),
  },
  workarounds: {
    never_download_image_if_on_rbd: novas(boolean(), {
      default: 'false',
      help: 'Whether Nova gives up, instead of downloading, an image that it finds no way to clone.',
      reason: asNova,
    }),
  },
  glance: {
    api_servers: novasIfSet(list(string()), {
      help: 'URLs of Glance, tried in random order. When set it wins over `endpoint_override`.',
      reason: unset,
    }),
    endpoint_override: novasIfSet(string(), {
      help: "The URL of Glance, instead of the service catalogue's.",
      reason: unset,
    }),
    service_type: novas(string(), {default: 'image', help: "Glance's type in the service catalogue.", reason: asNova}),
    service_name: novasIfSet(string(), {help: "Glance's name in the service catalogue.", reason: unset}),
    valid_interfaces: novas(list(string()), {
      default: 'internal,public',
      help: 'Interfaces in the service catalogue, the preferred one first: internal, public, admin.',
      reason: asNova,
    }),
    region_name: novasIfSet(string(), {help: 'The region in the service catalogue.', reason: unset}),
    cafile: novasIfSet(string(), {
      deprecated: [{group: 'ssl', name: 'ca_file'}],
      help: 'PEM file of the authorities that vouch for Glance.',
      reason: unset,
    }),
    certfile: novasIfSet(string(), {
      deprecated: [{group: 'ssl', name: 'cert_file'}],
      help: 'PEM file of the certificate to show to Glance.',
      reason: unset,
    }),
    keyfile: novasIfSet(string(), {
      deprecated: [{group: 'ssl', name: 'key_file'}],
      help: 'PEM file of the key of that certificate.',
      reason: unset,
    }),
    insecure: novas(boolean(), {
      default: 'false',
      deprecated: [{group: 'glance', name: 'api_insecure'}],
      help: "Do not check Glance's certificate.",
      reason: asNova,
    }),
    timeout: novasIfSet(integer(), {unit: 'seconds', help: 'How long one request to Glance may take.', reason: unset}),
    num_retries: novas(integer({min: 0}), {
      default: '3',
      help: 'How often a failed request to Glance is tried again.',
      reason: asNova,
    }),
  },
  service_user: {
    auth_type: novasIfSet(string(), {
      deprecated: [{name: 'auth_plugin'}],
      help: 'How the service user logs in: password, v3password, v3applicationcredential, token, v3token.',
      reason: unset,
    }),
    auth_section: novasIfSet(string(), {
      help: 'Another section that holds the login instead of this one.',
      reason: unset,
    }),
    send_service_user_token: novas(boolean(), {
      default: 'false',
      help: "Send the agent's own token along with a requester's, so that Glance accepts one that has just expired.",
      reason: asNova,
    }),
    auth_url: novasIfSet(string(), {help: 'The URL of Keystone.', reason: unset}),
    username: novasIfSet(string(), {
      deprecated: [{name: 'user-name'}, {name: 'user_name'}],
      help: 'The name of the service user.',
      reason: unset,
    }),
    user_id: novasIfSet(string(), {help: 'The id of the service user.', reason: unset}),
    password: novasIfSet(string(), {secret: true, help: 'The password of the service user.', reason: unset}),
    user_domain_id: novasIfSet(string(), {help: "The id of the user's domain.", reason: unset}),
    user_domain_name: novasIfSet(string(), {help: "The name of the user's domain.", reason: unset}),
    project_id: novasIfSet(string(), {
      deprecated: [{name: 'tenant-id'}, {name: 'tenant_id'}],
      help: 'The id of the project to be scoped to.',
      reason: unset,
    }),
    project_name: novasIfSet(string(), {
      deprecated: [{name: 'tenant-name'}, {name: 'tenant_name'}],
      help: 'The name of the project to be scoped to.',
      reason: unset,
    }),
    project_domain_id: novasIfSet(string(), {help: "The id of the project's domain.", reason: unset}),
    project_domain_name: novasIfSet(string(), {help: "The name of the project's domain.", reason: unset}),
    domain_id: novasIfSet(string(), {help: 'The id of the domain to be scoped to.', reason: unset}),
    domain_name: novasIfSet(string(), {help: 'The name of the domain to be scoped to.', reason: unset}),
    default_domain_id: novasIfSet(string(), {
      help: "The user's and the project's domain, by id, where not set.",
      reason: unset,
    }),
    default_domain_name: novasIfSet(string(), {
      help: "The user's and the project's domain, by name, where not set.",
      reason: unset,
    }),
    system_scope: novasIfSet(string(), {help: '`all` for a token scoped to the system.', reason: unset}),
    trust_id: novasIfSet(string(), {help: 'The trust to be scoped to.', reason: unset}),
    application_credential_id: novasIfSet(string(), {help: 'The id of the application credential.', reason: unset}),
    application_credential_name: novasIfSet(string(), {
      help: 'The name of the application credential; it needs the user too.',
      reason: unset,
    }),
    application_credential_secret: novasIfSet(string(), {
      secret: true,
      help: 'The secret of the application credential.',
      reason: unset,
    }),
    token: novasIfSet(string(), {secret: true, help: 'A token to log in with.', reason: unset}),
    cafile: novasIfSet(string(), {help: 'PEM file of the authorities that vouch for Keystone.', reason: unset}),
    certfile: novasIfSet(string(), {help: 'PEM file of the certificate to show to Keystone.', reason: unset}),
    keyfile: novasIfSet(string(), {help: 'PEM file of the key of that certificate.', reason: unset}),
    insecure: novas(boolean(), {default: 'false', help: "Do not check Keystone's certificate.", reason: asNova}),
    timeout: novasIfSet(integer(), {
      unit: 'seconds',
      help: 'How long one request to Keystone may take.',
      reason: unset,
    }),
    region_name: novasIfSet(string(), {
      help: 'The region in the service catalogue, where `[glance] region_name` is not set.',
      reason: unset,
    }),
  },
};
