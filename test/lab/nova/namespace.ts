/** Daemons in namespaces of their own: they see files of the lab where they look for those of the machine, and nothing outlives them. */

export type Namespace = {
  /** What it sees: each path (which exists) is covered by a file or directory of ours. */
  mounts?: Record<string, string>;
  hostname?: string;
  command: string[];
};

/**
 * The command that runs another as a child of the first process of a process namespace: with that one the kernel ends
 * every process there, daemons that daemons have left included. Start it with `namespace: true`. Needs root.
 */
export function inNamespace({mounts = {}, hostname, command}: Namespace): string[] {
  const unshare = ['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const prepare = [
    ...Object.entries(mounts).map(([path, ours]) => `mount --bind ${quote(ours)} ${quote(path)}`),
    ...(hostname === undefined ? [] : [`hostname ${quote(hostname)}`]),
  ];
  return [...unshare, 'sh', '-ec', [...prepare, ...supervise].join('\n'), 'sh', ...command];
}

/** The first process of a namespace adopts and reaps orphans, and gets only the signals it has a handler for. */
const supervise = [
  '"$@" &',
  'main=$!',
  "trap 'kill -TERM $main' TERM",
  'while kill -0 $main 2>/dev/null; do wait $main && status=0 || status=$?; done',
  'exit $status',
];

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
