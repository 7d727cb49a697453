/** What `npm run package` needs of the list below: a machine that only builds gets no Nova and no Ceph. */
export const buildPackages = [
  ...['g++', 'make', 'python3', 'librados-dev', 'librbd-dev'],
  ...['build-essential', 'debhelper', 'dpkg-dev'],
];

/** The one list of Debian packages that building and testing need, each with its reason. */
export const packages = {
  // the addon: compiler, node-gyp's needs, Ceph's headers
  'g++': 'builds the addon',
  make: 'builds the addon',
  python3: 'node-gyp is written in it',
  'librados-dev': 'headers of librados',
  'librbd-dev': 'headers of librbd',
  // real Ceph clusters for the tests
  'ceph-mon': 'test clusters',
  'ceph-osd': 'test clusters',
  'ceph-mgr': 'statistics of pools, for the tests of limits',
  'ceph-common': 'the ceph and rbd commands',
  // a real Keystone and a real Glance with images in RBD
  keystone: 'test Keystone',
  'uwsgi-core': 'runs Keystone',
  'uwsgi-plugin-python3': 'runs Keystone',
  'glance-api': 'test Glance',
  'python3-rados': "Glance's RBD store",
  'python3-rbd': "Glance's RBD store",
  // a real Nova
  'nova-api': 'test Nova',
  'nova-scheduler': 'test Nova',
  'nova-conductor': 'test Nova',
  'nova-compute': 'test Nova: the compute',
  'nova-compute-kvm': "test Nova: its compute's libvirt driver, with libvirt and QEMU",
  'placement-api': 'test Nova schedules with it',
  'mariadb-server': 'databases of the test Nova and Placement',
  'mariadb-client': 'copies schemas of the test Nova',
  'rabbitmq-server': 'message bus of the test Nova',
  'python3-pymysql': 'the test Nova reaches MariaDB with it',
  'libvirt-clients': 'virsh, which looks at guests of the test Nova',
  prometheus: 'scrapes a real agent, and checks the alert rules (promtool); never started as a service',
  // services
  systemd: 'runs the units as they are packaged, and says how exposed they are',
  // image formats, and the configuration parser ours is compared with
  'qemu-utils': 'qemu-img',
  'qemu-block-extra': "qemu-img's rbd driver",
  openssl: 'makes certificates for the tests',
  genisoimage: 'makes ISO images for the tests',
  'python3-nova':
    "Nova's own inspector of images, which ours is compared with; Nova's own disk code, for the benchmarks",
  'python3-cinder': "Cinder's own RBD driver, which makes volumes from images by way of the facade",
  'python3-oslo.config': "the model of our configuration's grammar",
  // the Debian packages of cellar, and their tests
  'build-essential': 'dpkg-buildpackage asks for it',
  debhelper: 'builds the packages',
  'dpkg-dev': 'builds the packages',
  lintian: 'checks the packages',
  'man-db': 'checks the man pages',
  mmdebstrap: 'makes the clean Debian that the packages are installed in',
  'bash-completion': "what bash's completion of cellar builds on",
  zsh: "checks zsh's completion of cellar",
};
