/** Nova's own code as a road: see nova_driver.py. */
import {randomUUID} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {cleanEnv} from '../../test/lab/run.ts';
import type {LabState} from '../../test/lab/state.ts';
import {startHelper} from '../lines.ts';

/** `imported`: the host had the image in its _base. */
export type NovaRoad = 'cloned' | 'fetched' | 'imported';

export type Nova = AsyncDisposable & {
  /** Makes an instance's root disk of `size` bytes; rejects when it took another road than `expected`. */
  create(image: string, size: number, token: string, expected: NovaRoad): Promise<{ms: number; disk: string}>;
  /** The host has never seen the image. */
  forget(image: string): Promise<void>;
};

const program = fileURLToPath(new URL('nova_driver.py', import.meta.url));

export function startNova(lab: LabState): Nova {
  const conf = join(lab.base, 'nova-bench.conf');
  writeFileSync(conf, `[glance]\nendpoint_override = ${lab.glanceUrl}\n`); // instead of a service catalog in every context
  const helper = startHelper("Nova's driver", ['/usr/bin/python3', program, lab.novaConf, conf], cleanEnv());
  return {
    async create(image, size, token, expected) {
      const uuid = randomUUID();
      const {ms, road} = await helper.ask<{ms: number; road: NovaRoad}>({call: 'create', image, uuid, size, token});
      if (road !== expected) throw new Error(`Nova's disk of image ${image} was ${road}, not ${expected}`);
      return {ms, disk: `${uuid}_disk`};
    },
    forget: async image => void (await helper.ask({call: 'forget', image})),
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}
