/** (b) and (c), qcow2: the first disk and the second to n-th, against Nova's code, which imports every one of them in full. */
import {type BenchImage, freshId, qcow2Image, rawImage} from '../images.ts';
import {interleaved, type Samples} from '../interleave.ts';
import type {Place} from '../place.ts';
import {type BenchAgent, Refusal} from '../roads/agent.ts';
import {median, ratio} from '../stats.ts';
import {fillByAgent, fillByNova} from './fill.ts';
import type {Section} from './section.ts';

export const qcow2: Section = async place => {
  await using agent = await place.agent();
  const no = await refusal(place, agent);
  if (no !== undefined) return {fillQcow2: {unmeasured: no}, nthQcow2: {unmeasured: no}};
  await using raw = await rawImage(place, 'fill-qcow2', place.sizes.fill);
  await using image = await qcow2Image(place, 'fill', raw);
  return {fillQcow2: await first(place, agent, image), nthQcow2: await nth(place, agent, image)};
};

/** Why the agent will not have qcow2 at all, tried with a small one; undefined when it has. */
async function refusal(place: Place, agent: BenchAgent): Promise<string | undefined> {
  await using raw = await rawImage(place, 'try', {size: 8 << 20, data: 4 << 20});
  await using image = await qcow2Image(place, 'try', raw);
  try {
    await agent.create('bench-try', image.id, raw.size);
    await place.floors.remove(['bench-try']);
    await place.dropCopies(image.id);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'unacceptable') return `the agent refuses qcow2 (${error.message})`;
    throw error;
  }
}

async function first(place: Place, agent: BenchAgent, image: BenchImage) {
  const steps: Samples = {};
  const samples = await interleaved(place.sizes.runs, {
    api: () => fillByAgent(place, agent, image, steps),
    nova: () => fillByNova(place, image),
  });
  const result = {seconds: median(samples.api) / 1000, vsNova: ratio(samples.api, samples.nova)};
  return {result, samples: {...samples, ...steps}};
}

/** Both have had one: cellar the cached copy, Nova the converted file in its _base. */
async function nth(place: Place, agent: BenchAgent, image: BenchImage) {
  const {floors, nova} = place;
  const id = await freshId(place, image);
  const size = image.size * 2;
  await agent.create('bench-first', id, size);
  const {disk} = await nova.create(id, size, place.token(), 'fetched');
  await floors.remove(['bench-first', disk]);
  try {
    const samples = await interleaved(place.sizes.runs, {
      api: async round => {
        const {ms} = await agent.create(`bench-nth-${round}`, id, size);
        await floors.remove([`bench-nth-${round}`]);
        return ms;
      },
      nova: async () => {
        const made = await nova.create(id, size, place.token(), 'imported');
        await floors.remove([made.disk]);
        return made.ms;
      },
    });
    return {result: {p50Ms: median(samples.api), vsNova: ratio(samples.api, samples.nova)}, samples};
  } finally {
    await nova.forget(id);
    await place.dropCopies(id);
  }
}
