/** (e) How much an agent grows while it fills: the same for a small image and for a large one. */
import {type BenchImage, freshId, rawImage} from '../images.ts';
import type {Place} from '../place.ts';
import {resetPeak, residentBytes, watchAnonymous} from '../proc.ts';
import type {ImageSize} from '../sizes.ts';
import type {Section} from './section.ts';

const mib = 1024 * 1024;

/** Of each size the largest growth seen, every one of them in a new agent. */
export const memory: Section = async place => {
  const growths: Record<string, number[]> = {};
  const anonymous: Record<string, number[]> = {};
  for (const size of place.sizes.memory.images) {
    const name = `${size.size / mib}MiB`;
    const seen = await growthsOf(place, name, size);
    growths[`${name} (MiB)`] = seen.map(({peak}) => peak / mib);
    anonymous[`${name} anonymous (MiB)`] = seen.map(({anon}) => anon / mib);
  }
  const worst = Object.values(growths).map(seen => Math.max(...seen));
  const result = {growthMiB: Math.max(...worst), differenceMiB: Math.max(...worst) - Math.min(...worst)};
  return {memory: {result, samples: {...growths, ...anonymous}}};
};

type Growth = {peak: number; anon: number};

async function growthsOf(place: Place, name: string, size: ImageSize): Promise<Growth[]> {
  await using image = await rawImage(place, `memory-${name}`, size);
  await using small = await rawImage(place, 'memory-warm', {size: 16 * mib, data: 8 * mib});
  const seen: Growth[] = [];
  for (let run = 0; run < place.sizes.memory.runs; run++) seen.push(await growth(place, image, small));
  return seen;
}

/** A small fill first: the connections are open and the code is loaded, as in an agent that has been running. */
async function growth(place: Place, image: BenchImage, small: BenchImage): Promise<Growth> {
  await using agent = await place.agent('bench-memory');
  const fill = async (one: BenchImage) => {
    const id = await freshId(place, one);
    await agent.create('bench-memory', id, one.size);
    return id;
  };
  const clean = async (id: string) => {
    await place.floors.remove(['bench-memory']);
    await place.dropCopies(id);
  };
  await clean(await fill(small));
  resetPeak(agent.pid);
  const before = residentBytes(agent.pid);
  const stop = watchAnonymous(agent.pid);
  const id = await fill(image);
  const after = residentBytes(agent.pid);
  const anon = stop() - before.anonymous;
  await clean(id);
  return {peak: after.peak - before.now, anon};
}
