/** An availability zone for some hosts, with flavors: a plain project too can then choose them, and nothing else runs there. */
import {novaLab} from '../../lab/nova/shared.ts';

export type Zone = {
  name: string;
  aggregate: number;
  /** Id of a flavor whose disk is as large as its image. */
  flavor: string;
  remove(): Promise<void>;
};

export async function makeZone(hosts: string[]): Promise<Zone> {
  const {nova} = novaLab();
  const name = `zone-of-${hosts[0]}`;
  const {aggregate} = await nova<{aggregate: {id: number}}>('POST', '/os-aggregates', {
    aggregate: {name, availability_zone: name},
  });
  const action = (what: 'add_host' | 'remove_host', host: string) =>
    nova('POST', `/os-aggregates/${aggregate.id}/action`, {[what]: {host}});
  for (const host of hosts) await action('add_host', host);
  const flavor = `disk-of-image-${hosts[0]}`;
  await nova('POST', '/flavors', {flavor: {id: flavor, name: flavor, ram: 64, vcpus: 1, disk: 0}});
  return {
    name,
    aggregate: aggregate.id,
    flavor,
    async remove() {
      for (const host of hosts) await action('remove_host', host);
      await nova('DELETE', `/os-aggregates/${aggregate.id}`);
      await nova('DELETE', `/flavors/${flavor}`);
    },
  };
}
