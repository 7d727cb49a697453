/** (f) Many clones at once on one agent, against one after the other. */
import {type BenchImage, rawImage} from '../images.ts';
import {inFlight, timed} from '../interleave.ts';
import type {Place} from '../place.ts';
import type {BenchAgent} from '../roads/agent.ts';
import {percentile} from '../stats.ts';
import type {Section} from './section.ts';

/** Half of the sequential ones go before, half after: so the machine's mood and the parent's many children weigh the same on both. */
export const parallel: Section = async place => {
  const {clones, inFlight: limit, sequential} = place.sizes.parallel;
  await using image = await rawImage(place, 'parallel', place.sizes.clone);
  await using agent = await place.agent();
  const made: string[] = [];
  const batch = (name: string, count: number, many: number) => clonesOf({place, agent, image, made}, name, count, many);
  try {
    await batch('warm', 4, 1); // the first of them fills
    const before = await batch('before', Math.ceil(sequential / 2), 1);
    const many = await batch('many', clones, limit);
    const after = await batch('after', Math.floor(sequential / 2), 1);
    const perSecond = (clones / many.ms) * 1000;
    const sequentialPerSecond = (sequential / (before.ms + after.ms)) * 1000;
    const result = {
      perSecond,
      p50Ms: percentile(many.each, 0.5),
      p99Ms: percentile(many.each, 0.99),
      vsSequential: perSecond / sequentialPerSecond,
      sequentialPerSecond,
      floorPerSecond: await floorRate(place, image, made),
    };
    return {parallel: {result, samples: {parallel: many.each, sequential: [...before.each, ...after.each]}}};
  } finally {
    await place.floors.remove(made);
    await place.dropCopies(image.id);
  }
};

type Batch = {place: Place; agent: BenchAgent; image: BenchImage; made: string[]};

async function clonesOf({agent, image, made}: Batch, name: string, count: number, limit: number) {
  const names = Array.from({length: count}, (_, n) => `bench-${name}-${n}`);
  const each: number[] = [];
  const {ms} = await timed(() =>
    inFlight(names, limit, async disk => {
      made.push(disk);
      each.push((await agent.create(disk, image.id, image.size * 2)).ms);
    }),
  );
  return {ms, each};
}

/** What librbd alone does with as many in flight, on the same parent with the same children. */
async function floorRate({floors, cell, sizes}: Place, image: BenchImage, made: string[]): Promise<number> {
  const names = Array.from({length: sizes.parallel.sequential}, (_, n) => `bench-floor-${n}`);
  const copy = (await cell.rbd('ls', 'cellar')).split('\n').find(name => name.startsWith(`${image.id}.`)) ?? '';
  made.push(...names);
  const parent = {pool: 'cellar', image: copy, snapshot: 'snap'};
  const {ms} = await floors.clone(parent, names, image.size * 2, sizes.parallel.inFlight);
  return (names.length / ms) * 1000;
}
