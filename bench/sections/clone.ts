/** (a) A disk of an image that the cell has: through the API, by librbd alone, by the rbd commands, by Nova's code. */
import {addCellLocation, type BenchImage, rawImage} from '../images.ts';
import {interleaved, type Samples} from '../interleave.ts';
import type {Place} from '../place.ts';
import {type BenchAgent, note} from '../roads/agent.ts';
import {rbdClone} from '../roads/commands.ts';
import {median, ratio} from '../stats.ts';
import type {Section} from './section.ts';

/**
 * One image with a location in the cell: all four clone the same snapshot, and cellar and Nova ask the same Glance first.
 * And one without, for the road over the cache, against the floor on the same cached copy.
 */
export const clone: Section = async place => {
  await using image = await rawImage(place, 'clone', place.sizes.clone);
  await addCellLocation(place, image);
  await using cached = await rawImage(place, 'clone-cached', place.sizes.clone);
  await using agent = await place.agent();
  try {
    const steps: Samples = {};
    const samples = await interleaved(place.sizes.cloneRounds, await roads(place, agent, {image, cached}, steps));
    const {api, floor, commands, nova, apiCached, floorCached} = samples;
    const result = {
      p50Ms: median(api),
      vsFloor: ratio(api, floor),
      vsCli: ratio(api, commands),
      vsNova: ratio(api, nova),
      cachedP50Ms: median(apiCached),
      cachedVsFloor: ratio(apiCached, floorCached),
    };
    return {clone: {result, samples: {...samples, ...steps}}};
  } finally {
    await place.dropCopies(cached.id);
  }
};

type Images = {image: BenchImage; cached: BenchImage};

async function roads(place: Place, agent: BenchAgent, {image, cached}: Images, steps: Samples) {
  const {floors, nova, cell} = place;
  const size = image.size * 2;
  const parent = {pool: 'images', image: image.id, snapshot: 'snap'};
  const first = await agent.create('bench-first', cached.id, size);
  await floors.remove(['bench-first']);
  const copy = first.answer.parent;

  /** Measures what makes the disk of this name, and removes it. */
  const disk = (name: string, act: (name: string) => Promise<number>) => async (round: number) => {
    const ms = await act(`bench-${name}-${round}`);
    await floors.remove([`bench-${name}-${round}`]);
    return ms;
  };
  const api = (name: string, id: string, outcome: string) =>
    disk(name, async made => {
      const created = await agent.create(made, id, size);
      if (created.answer.outcome !== outcome) throw new Error(`${made} was ${created.answer.outcome}, not ${outcome}`);
      note(steps, name, created);
      return created.ms;
    });
  return {
    api: api('api', image.id, 'cloned'),
    floor: disk('floor', async name => (await floors.clone(parent, [name], size)).ms),
    commands: disk('commands', name => rbdClone(cell, parent, name, size)),
    nova: async () => {
      const made = await nova.create(image.id, size, place.token(), 'cloned');
      await floors.remove([made.disk]);
      return made.ms;
    },
    apiCached: api('apiCached', cached.id, 'cloned-from-cache'),
    floorCached: disk('floorCached', async name => (await floors.clone(copy, [name], size)).ms),
  };
}
