/** New hosts that get into their cell: one as its agent starts, and many one after the other, beside discover_hosts. */
import {join} from 'node:path';
import {interleaved} from '../interleave.ts';
import {openRegistrationPlace, type RegistrationPlace, type Unmapped} from '../roads/registration.ts';
import {median, ratio} from '../stats.ts';
import type {Section} from './section.ts';

export const registration: Section = async ({lab, sizes: {registration: sizes}}) => {
  await using place = await openRegistrationPlace(join(lab.base, 'nova'));
  await place.discover(); // nobody's first run
  const one = await interleaved(sizes.runs, {
    agent: round => place.agent(`bench-agent-${round}`),
    discover: async round => {
      const hosts = await place.makeRecords(`bench-found-${round}`, 1);
      const ms = await place.discover();
      await allMapped(place, hosts);
      return ms;
    },
  });
  const hosts = await place.makeRecords('bench-mapped', sizes.hosts);
  const [each, calls] = [[] as number[], [] as number[]];
  for (const host of hosts) {
    const took = await place.map(host);
    each.push(took.ms);
    calls.push(took.calls);
  }
  await allMapped(place, hosts);
  const found = await place.makeRecords('bench-found', sizes.hosts);
  const discoverAll = await place.discover();
  await allMapped(place, found);

  const edge = Math.max(1, Math.round(sizes.hosts / 10));
  const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);
  const result = {
    seconds: median(one.agent) / 1000,
    vsDiscoverHosts: ratio(one.agent, one.discover),
    discoverSeconds: median(one.discover) / 1000,
    hosts: sizes.hosts,
    allSeconds: sum(each) / 1000,
    discoverAllSeconds: discoverAll / 1000,
    hostMs: median(each),
    callsPerHost: Math.max(...calls.slice(1)), // the first one also asks for versions
    costGrowth200: ratio(each.slice(-edge), each.slice(1, edge + 1)),
  };
  return {registration: {result, samples: {...one, each, 'each.calls': calls}}};
};

async function allMapped(place: RegistrationPlace, hosts: readonly Unmapped[]): Promise<void> {
  const mapped = await place.mapped(hosts);
  if (mapped !== hosts.length) throw new Error(`${mapped} of ${hosts.length} hosts were mapped`);
}
