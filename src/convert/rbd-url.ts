/** An existing RBD image to write to, and how to reach its cluster. Seconds, as Ceph's own options. */
export type RbdTarget = {
  pool: string;
  image: string;
  /** The cephx user, without `client.`. */
  user: string;
  /** Ceph's configuration file; empty: where librados looks by itself. */
  conf: string;
  /** The file with the user's key; empty or absent: as the configuration says. Never the key itself: argv is public. */
  keyring?: string;
  connectTimeout?: number;
  osdOpTimeout?: number;
  monOpTimeout?: number;
};

/**
 * QEMU's name for it: `rbd:pool/image:id=...:conf=...`, where a backslash takes the meaning from the next character. The pairs
 * after the image are Ceph options; without the timeouts a cluster that is down is waited for, for ever.
 */
export function rbdUrl({pool, image, user, conf, keyring, ...timeouts}: RbdTarget): string {
  const pairs: [string, string | number | undefined][] = [
    ['id', user],
    ['conf', conf],
    ['keyring', keyring],
    ['client_mount_timeout', timeouts.connectTimeout],
    ['rados_osd_op_timeout', timeouts.osdOpTimeout],
    ['rados_mon_op_timeout', timeouts.monOpTimeout],
    ['log_to_file', 'false'], // it may write no file (see run)
  ];
  const given = pairs.filter(([, value]) => value !== undefined && value !== '');
  return [`rbd:${quote(pool)}/${quote(image)}`, ...given.map(([key, value]) => `${key}=${quote(String(value))}`)].join(
    ':',
  );
}

const quote = (text: string): string => text.replaceAll(/[\\/:=@]/g, '\\$&');
