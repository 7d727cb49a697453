/** Boots of an unmodified nova-compute, behind the facade and without it: the first and the second server of an image. */
import {join} from 'node:path';
import {addCellLocation, type BenchImage, freshId, qcow2Image, rawImage} from '../images.ts';
import {interleaved, type Samples, timed} from '../interleave.ts';
import {type BootPlace, type Host, openBootPlace} from '../roads/boot.ts';
import {median, ratio} from '../stats.ts';
import type {Result, Section} from './section.ts';

export const boot: Section = async ({lab, sizes}) => {
  await using place = await openBootPlace(join(lab.base, 'nova'));
  await using raw = await rawImage(place, 'boot', sizes.boot);
  await using qcow2 = await qcow2Image(place, 'boot', raw);
  await addCellLocation(place, raw); // which the fresh ids have not
  for (const host of [place.stock, place.facade]) await warm(host, place, raw);
  const samples: Samples = {};
  let kept = 0;
  for (const [format, image] of Object.entries({raw, qcow2})) {
    const walked = await interleaved(sizes.boot.runs, {
      stock: () => bootTwice(place.stock, place, image, `stock.${format}`, samples),
      cellar: () => bootTwice(place.facade, place, image, `cellar.${format}`, samples),
      floor: () => bootOnce(place.stock, raw.id, 'floor.raw.nth', samples),
    });
    kept = Math.max(kept, ...walked.cellar);
  }
  const asked = await askAlone(place, raw, sizes.cloneRounds);
  Object.assign(samples, {'get.glance': asked.glance, 'get.facade': asked.facade});
  const of = (name: string) => samples[name] ?? [];
  const compare = (format: string): Result => ({
    [`${format}FirstMs`]: median(of(`cellar.${format}.first.step`)),
    [`${format}FirstVsStock`]: ratio(of(`cellar.${format}.first.step`), of(`stock.${format}.first.step`)),
    [`${format}NthMs`]: median(of(`cellar.${format}.nth.step`)),
    [`${format}NthVsStock`]: ratio(of(`cellar.${format}.nth.step`), of(`stock.${format}.nth.step`)),
    [`${format}FirstActiveVsStock`]: ratio(of(`cellar.${format}.first.active`), of(`stock.${format}.first.active`)),
    [`${format}NthActiveVsStock`]: ratio(of(`cellar.${format}.nth.active`), of(`stock.${format}.nth.active`)),
  });
  const results = {...compare('raw'), ...compare('qcow2')};
  const worst = (key: string) => Math.max(results[`raw${key}`] ?? Number.NaN, results[`qcow2${key}`] ?? Number.NaN);
  const result = {
    firstVsStock: worst('FirstVsStock'),
    nthVsStock: worst('NthVsStock'),
    hypervisorBytes: kept,
    ...results,
    nthFloorMs: median(of('floor.raw.nth.step')),
    nthVsFloor: ratio(of('cellar.raw.nth.step'), of('floor.raw.nth.step')),
    getMs: median(asked.facade),
    getGlanceMs: median(asked.glance),
  };
  return {facade: {result, samples}};
};

/** One server of an image that is not measured: Nova's first ones load what the later ones have. */
async function warm(host: Host, place: BootPlace, image: BenchImage): Promise<void> {
  const id = await freshId(place, image);
  await host.boot(id);
  await host.forget(id);
}

/** Two servers of an image that nobody has seen; resolves the bytes of it that stayed on the host. */
async function bootTwice(
  host: Host,
  place: BootPlace,
  image: BenchImage,
  road: string,
  samples: Samples,
): Promise<number> {
  const id = await freshId(place, image);
  for (const which of ['first', 'nth']) await bootOnce(host, id, `${road}.${which}`, samples);
  const kept = host.kept();
  await host.forget(id);
  return kept;
}

async function bootOnce(host: Host, id: string, name: string, samples: Samples): Promise<number> {
  const boot = await host.boot(id);
  for (const [what, value] of Object.entries(boot))
    samples[`${name}.${what}`] = [...(samples[`${name}.${what}`] ?? []), value];
  return boot.step;
}

/** An image's record, of Glance and through the facade, with a copy in the cell. */
async function askAlone(place: BootPlace, image: BenchImage, rounds: number): Promise<Samples<'glance' | 'facade'>> {
  const {openstack, facade, facadeUrl} = place;
  const id = await freshId(place, image);
  const headers = {'X-Auth-Token': await openstack.token(openstack.admin)};
  const ask = async (url: string) => {
    const answer = await fetch(`${url}/v2/images/${id}`, {headers});
    if (!answer.ok) throw new Error(`GET of image ${id} at ${url}: ${answer.status}`);
    return answer.text();
  };
  const record = await ask(facadeUrl); // held until there is a copy
  if (!record.includes(place.lab.cell.fsid))
    throw new Error(`the facade shows image ${id} without its copy: ${record}`);
  const samples = await interleaved(rounds, {
    glance: async () => (await timed(() => ask(openstack.glanceUrl))).ms,
    facade: async () => (await timed(() => ask(facadeUrl))).ms,
  });
  await facade.forget(id);
  return samples;
}
