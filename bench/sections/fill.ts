/** (b), raw: the first disk of an image that the cell has never seen, against the two floors, a pipe, and Nova's road. */
import {type BenchImage, freshId, rawImage} from '../images.ts';
import {interleaved, type Samples} from '../interleave.ts';
import type {Place} from '../place.ts';
import {cpuOf} from '../proc.ts';
import {type BenchAgent, note} from '../roads/agent.ts';
import {curl, curlImport, headerFile} from '../roads/commands.ts';
import {best, median, ratio} from '../stats.ts';
import type {Section} from './section.ts';

/** Each cold road gets an image id of its own, of the same bytes: no cache of anybody's can help. */
export const fillRaw: Section = async place => {
  await using image = await rawImage(place, 'fill', place.sizes.fill);
  await using agent = await place.agent();
  const {bytes} = await place.floors.load(image.path);
  const steps: Samples = {};
  const samples = await interleaved(place.sizes.runs, {
    api: () => fillByAgent(place, agent, image, steps),
    nova: () => fillByNova(place, image),
    ...otherRoads(place, image),
  });
  const downloads = best({http: samples.downloadHttp, curl: samples.downloadCurl});
  const writes = best(Object.fromEntries(Object.entries(samples).filter(([name]) => name.startsWith('write'))));
  const floor = slower(downloads.samples, writes.samples);
  const result = {
    seconds: median(samples.api) / 1000,
    vsFloor: ratio(samples.api, floor),
    vsCurlImport: ratio(samples.api, samples.curlImport),
    vsNova: ratio(samples.api, samples.nova),
    downloadSeconds: median(downloads.samples) / 1000,
    writeSeconds: median(writes.samples) / 1000,
    loopP99Ms: median(steps['api.event loop p99'] ?? []),
    dataMiB: bytes / 1024 / 1024,
  };
  return {fillRaw: {result, samples: {...samples, ...steps}}};
};

const slower = (one: readonly number[], other: readonly number[]) => (median(one) > median(other) ? one : other);

/** The agent's first disk of it, and away with all of it. `steps` gets its own account of the fill. */
export async function fillByAgent(place: Place, agent: BenchAgent, image: BenchImage, steps: Samples): Promise<number> {
  const id = await freshId(place, image);
  const before = cpuOf(agent.pid);
  const [created, after] = await agent
    .create('bench-fill', id, image.size * 2)
    .then(value => [value, cpuOf(agent.pid)] as const)
    .finally(async () => {
      await place.floors.remove(['bench-fill']);
      await place.dropCopies(id);
    });
  steps['api.event loop p99'] = [...(steps['api.event loop p99'] ?? []), await agent.loopDelay()];
  const {outcome} = created.answer;
  if (outcome !== 'filled') throw new Error(`the first disk of image ${id} was ${outcome}, not filled`);
  note(steps, 'api', created);
  steps['api.cpu'] = [...(steps['api.cpu'] ?? []), after.used - before.used];
  steps['api.waited for cpu'] = [...(steps['api.waited for cpu'] ?? []), after.waited - before.waited];
  return created.ms;
}

/** Nova's first disk of it on this host. */
export async function fillByNova(place: Place, image: BenchImage): Promise<number> {
  const id = await freshId(place, image);
  const {ms, disk} = await place.nova.create(id, image.size * 2, place.token(), 'fetched');
  await place.floors.remove([disk]);
  await place.nova.forget(id);
  return ms;
}

function otherRoads(place: Place, image: BenchImage) {
  const {floors, cell, lab} = place;
  const url = place.url(image.id);
  const header = headerFile(lab.base, place.token());
  const writes = place.sizes.depths.map(depth => [`write${depth}`, () => floors.write(image.size, depth)] as const);
  return {
    downloadHttp: () => floors.download(url, place.token()),
    downloadCurl: () => curl(url, header),
    curlImport: async () => {
      const ms = await curlImport(cell, url, header, 'bench-pipe');
      await floors.remove(['bench-pipe']);
      return ms;
    },
    ...Object.fromEntries(writes),
  };
}
