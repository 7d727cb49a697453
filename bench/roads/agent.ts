/** cellar as a road: a real agent, asked through its unix socket by a client that keeps its connections. */

import {mkdirSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {join} from 'node:path';
import {createClient} from '../../src/api/client.ts';
import type {DiskAnswer} from '../../src/api/wire.ts';
import {headers} from '../../src/api/wire.ts';
import {version} from '../../src/config/version.ts';
import {startAgent} from '../../test/helpers/agent.ts';
import type {LabState} from '../../test/lab/state.ts';
import {type Samples, timed} from '../interleave.ts';

export type Created = {ms: number; answer: DiskAnswer};

export type BenchAgent = AsyncDisposable & {
  readonly pid: number;
  /** Makes vms/NAME of the image; ms from the request to the whole answer. Rejects with a Refusal when the agent says no. */
  create(name: string, image: string, size: number): Promise<Created>;
  /** How late its event loop was: the 99th percentile of the worst ten seconds of the last minute, ms. */
  loopDelay(): Promise<number>;
};

/** The agent's own "no", with its kind: `unacceptable` and so on. */
export class Refusal extends Error {
  readonly kind: string;
  constructor({kind, message}: {kind: string; message: string}) {
    super(`the agent: ${message} (${kind})`);
    this.kind = kind;
  }
}

/** Starts an agent of the lab's cell as on a host of this name, with what the lab shortened for its tests set back to the defaults. */
export async function startBenchAgent(lab: LabState, host: string, token: () => string): Promise<BenchAgent> {
  const dir = join(lab.base, 'bench');
  mkdirSync(dir, {recursive: true});
  const [conf, socketPath] = [join(dir, `${host}.conf`), join(dir, `${host}.sock`)];
  writeFileSync(conf, `[DEFAULT]\nhost = ${host}\n[image_store]\nfill_lease = 30\n[agent]\nsocket = ${socketPath}\n`);
  const agent = await startAgent([lab.novaConf, lab.cellarConf, conf]);
  const client = createClient({socket: socketPath, version});
  const connections = new http.Agent({keepAlive: true});
  return {
    pid: agent.pid,
    async create(name, image, size) {
      const body = JSON.stringify({image, size});
      const path = `/v1/disks/vms/${name}`;
      const {ms, value} = await timed(() => put({socketPath, path, agent: connections}, token(), body));
      if (value.error !== undefined) throw new Refusal(value.error);
      return {ms, answer: value as DiskAnswer};
    },
    loopDelay: async () => (await client.status()).eventLoop.p99Ms,
    async [Symbol.asyncDispose]() {
      connections.destroy();
      await agent[Symbol.asyncDispose]();
    },
  };
}

/** Adds the agent's own account of where the time went to the samples: `ROAD.glance`, `ROAD.fill`, `ROAD.clone`, `ROAD.total`. */
export function note(samples: Samples, road: string, {answer}: Created): void {
  for (const [step, ms] of Object.entries(answer.timings)) {
    const name = `${road}.${step}`;
    samples[name] ??= [];
    samples[name].push(ms);
  }
}

type Answer = Partial<DiskAnswer> & {error?: {kind: string; message: string}};

function put(options: http.RequestOptions, token: string, body: string): Promise<Answer> {
  const head = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json',
    [headers.token]: token,
  };
  return new Promise((resolve, reject) => {
    const request = http.request({...options, method: 'PUT', headers: head}, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject).on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    request.on('error', reject).end(body);
  });
}
