/** Boots of an unmodified nova-compute, behind the facade and without it: the first and the second server of an image. */
import {join} from 'node:path';
import {type BenchImage, freshId, qcow2Image, rawImage} from '../images.ts';
import {interleaved, type Samples} from '../interleave.ts';
import {type BootPlace, type Host, openBootPlace} from '../roads/boot.ts';
import {median, ratio} from '../stats.ts';
import type {Result, Section} from './section.ts';

export const boot: Section = async ({lab, sizes}) => {
  await using place = await openBootPlace(join(lab.base, 'nova'));
  await using raw = await rawImage(place, 'boot', sizes.boot);
  await using qcow2 = await qcow2Image(place, 'boot', raw);
  for (const host of [place.stock, place.facade]) await warm(host, place, raw);
  const samples: Samples = {};
  let kept = 0;
  for (const [format, image] of Object.entries({raw, qcow2})) {
    const walked = await interleaved(sizes.boot.runs, {
      stock: () => bootTwice(place.stock, place, image, `stock.${format}`, samples),
      cellar: () => bootTwice(place.facade, place, image, `cellar.${format}`, samples),
    });
    kept = Math.max(kept, ...walked.cellar);
  }
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
  for (const which of ['first', 'nth']) {
    for (const [what, value] of Object.entries(await host.boot(id))) {
      const name = `${road}.${which}.${what}`;
      samples[name] = [...(samples[name] ?? []), value];
    }
  }
  const kept = host.kept();
  await host.forget(id);
  return kept;
}
