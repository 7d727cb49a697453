/** docs/benchmarks.md: the table, what it was measured on, how to repeat it; and the words of people, which are kept. */
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {merge, tellEarlier} from './merge.ts';
import {notMeasured, type Report, tableOf, toJson} from './report.ts';

const doc = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

/** What follows it in the file is not ours. */
const mark = '<!-- What follows is written by hand and kept by `npm run bench -- --write`. -->';

export function writeDocs(run: Report): void {
  const report = merge(run, written());
  const file = doc('benchmarks.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = before.indexOf(mark);
  const notes = at < 0 ? '\n## What the profile shows\n' : before.slice(at + mark.length).replace(/^\n/, '');
  writeFileSync(file, `${markdown(report)}\n${mark}\n${notes}`);
  writeFileSync(doc('benchmarks.json'), `${JSON.stringify(toJson(report), undefined, 2)}\n`);
}

const written = () => {
  const file = doc('benchmarks.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
};

export function markdown(report: Report): string {
  const {date, seconds, machine, sizes, found} = report;
  const mib = (bytes: number) => `${bytes / 1024 / 1024} MiB`;
  const table = [['', 'measured', 'target', ''], ['---', '---:', '---:', '---'], ...tableOf(found)];
  const lines = table.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  const versions = Object.entries(machine.versions).map(([name, value]) => `${name} ${value}`);
  const missing = notMeasured(found).map(line => `- ${line}`);
  const {fill, herd, memory, parallel, boot, registration} = sizes;
  return `# Benchmarks

What is compared was measured in one run, on one lab: two Ceph clusters of one OSD each (${machine.store}), Keystone and Glance on one machine. It ran in turns, on the same cluster with the same image. Numbers are medians; a ratio below 1 means that cellar is quicker. The raw samples are in [benchmarks.json](benchmarks.json).

${lines.join('\n')}
${missing.length === 0 ? '' : `\n${missing.join('\n')}\n`}
- **Machine**: ${machine.cores} x ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, Linux ${machine.kernel}; load before the run ${machine.load.join(', ')}
- **Versions**: ${versions.join(', ')}
- **When**: ${date}, ${Math.round(seconds / 60)} minutes
${tellEarlier(report)}
## What was done

- **API** means an agent process with its default settings, asked by HTTP on its unix socket by a client that keeps its connections: Glance is asked with the requester's token, and the disk read back, as always.
- **Floor** of clones: \`rbd_clone3\`, \`rbd_open\`, \`rbd_resize2\`, \`rbd_close\` on open connections. Floors of a fill, each alone: the body from Glance to nothing (the quicker of node:http and curl); the image's data from memory to a new image by \`rbd_aio_write\`, whole objects, the best of ${sizes.depths.join(', ')} in flight.
- **Nova's own code** is Debian's python3-nova in a Python process that keeps running: \`imagebackend.Rbd.cache()\` with \`clone()\`, \`fetch_image()\` and \`rbd import\` as nova-compute calls them, without the rest of the compute service.
- Clones: ${sizes.cloneRounds} rounds. Fills: ${sizes.runs} rounds of a ${mib(fill.size)} image with ${mib(fill.data)} of random data, each under an image id that nobody has seen.
- \`fillRaw.api.cpu\` in the samples is the agent's processor time for a fill, which other programs hardly change; \`waited for cpu\` is how long its main thread stood in line for a processor: next to nothing on a quiet machine.
- Herd: ${herd.agents} agents in ${herd.agents} processes that have made one disk before, ${herd.requests} requests each at the same moment for a ${mib(herd.size)} image; downloads and bytes are from Glance's own log (a head of some 400 bytes is in them), every disk was read back and its sha256 compared.
- Memory: VmHWM of the agent during the fill less VmRSS before it, after a first small fill; images of ${memory.images.map(({size}) => mib(size)).join(' and ')}; the largest of ${memory.runs} runs each.
- Many at once: ${parallel.clones} disks, ${parallel.inFlight} in flight, against ${parallel.sequential} one after the other.
- Boots: ${boot.runs} rounds of two servers of a ${mib(boot.size)} image with ${mib(boot.data)} of data, on two hosts of one cell: Debian's nova-compute with libvirt as it is, and the same with \`[glance] endpoint_override\` at an agent. The disk is what nova-compute's log has between "Creating image(s)" and "Start _get_guest_xml". \`*.written\` in the samples are bytes that the service, its commands and the agent wrote to the host's disk, their logs and the spool of a conversion among them.
- Registration: ${registration.runs} agents with \`[cell] registration = conductor\` on new hosts, in turns with discover_hosts for one record that was just made; then ${registration.hosts} records of compute nodes that are mapped by the agent's code over one connection, and as many by one discover_hosts. The scheduler's periodic task is off by default (\`[scheduler] discover_hosts_in_cells_interval = -1\`): without either, a host waits for ever.

To repeat it: \`npm run bench\`, on a machine with nothing else to do. \`npm run bench -- --quick\` shows in a few minutes that everything runs; its numbers mean little. \`--write\` writes this page.
`;
}
