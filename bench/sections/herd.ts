/** (d) Many requests on many hosts at once for an image that the cell has never seen. */
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {pipeline} from 'node:stream/promises';
import {all} from '../../test/lab/run.ts';
import {type BenchImage, freshId, rawImage} from '../images.ts';
import {inFlight, type Samples, timed} from '../interleave.ts';
import type {Place} from '../place.ts';
import {type BenchAgent, note} from '../roads/agent.ts';
import {digestOf} from '../roads/digest.ts';
import {median} from '../stats.ts';
import {type Section, say} from './section.ts';

/** GETs, bytes and wrong disks are the worst of all runs, seconds their median. */
export const herd: Section = async place => {
  const {agents: hosts, runs, ...size} = place.sizes.herd;
  await using image = await rawImage(place, 'herd', size);
  const expected = await digestOfFile(image.path);
  await using stack = new AsyncDisposableStack();
  const agents: BenchAgent[] = [];
  for (let host = 1; host <= hosts; host++) agents.push(stack.use(await place.agent(`bench-herd-${host}`)));

  await warmUp(place, agents);
  const samples: Samples = {each: []};
  const seen: Stampede[] = [];
  for (let run = 0; run < runs; run++) {
    seen.push(await stampede(place, agents, {image, expected, samples}));
    say(`    herd ${run + 1} of ${runs}`);
  }
  const worst = (pick: (one: Stampede) => number) => Math.max(...seen.map(pick));
  const result = {
    dataGets: worst(one => one.dataGets),
    glanceBytes: worst(one => one.glanceBytes),
    seconds: median(seen.map(one => one.ms)) / 1000,
    disks: hosts * place.sizes.herd.requests,
    wrongDisks: worst(one => one.wrongDisks),
  };
  return {herd: {result, samples: {last: seen.map(one => one.ms), ...samples}}};
};

/** Agents that have been running: each is connected, and has a token of its own. */
async function warmUp(place: Place, agents: BenchAgent[]): Promise<void> {
  await using image = await rawImage(place, 'herd-warm', {size: 8 << 20, data: 4 << 20});
  for (const agent of agents) {
    await agent.create('bench-warm', image.id, image.size);
    await place.floors.remove(['bench-warm']);
  }
  await place.dropCopies(image.id);
}

type Stampede = {ms: number; dataGets: number; glanceBytes: number; wrongDisks: number};

type Cold = {image: BenchImage; expected: string; samples: Samples};

async function stampede(place: Place, agents: BenchAgent[], {image, expected, samples}: Cold): Promise<Stampede> {
  const {openstack, floors, sizes, cell} = place;
  const id = await freshId(place, image);
  const mark = openstack.glanceMark();
  const wanted = agents.flatMap((agent, host) =>
    Array.from({length: sizes.herd.requests}, (_, n) => ({agent, name: `bench-herd-${host}-${n}`})),
  );
  const names = wanted.map(({name}) => name);
  try {
    const {ms} = await timed(() =>
      all(
        wanted.map(async ({agent, name}) => {
          const created = await agent.create(name, id, image.size);
          samples['each']?.push(created.ms);
          note(samples, 'each', created);
        }),
      ),
    );
    const requests = await openstack.glanceRequests(mark);
    const gets = requests.filter(({method, path}) => method === 'GET' && path === `/v2/images/${id}/file`);
    let wrongDisks = 0;
    await inFlight(names, 2, async name => {
      if ((await digestOf(cell, `vms/${name}`)) !== expected) wrongDisks++;
    });
    const glanceBytes = gets.reduce((sum, {bytes}) => sum + bytes, 0);
    return {ms, dataGets: gets.length, glanceBytes, wrongDisks};
  } finally {
    await floors.remove(names);
    await place.dropCopies(id);
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
