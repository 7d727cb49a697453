/** A facade on a port of its own, in this process, with what it told. */
import {createFacade, type Facade, type FacadeOptions, type Passed} from '../../src/facade/server.ts';
import type {Shown} from '../../src/facade/show.ts';
import {parseRecord} from '../../src/glance/record.ts';

export type RunningFacade = AsyncDisposable & {
  url: string;
  port: number;
  facade: Facade;
  shown: Shown[];
  passed: Passed[];
  /** Servers that were found down. */
  avoided: string[];
};

export type SetUp = Partial<Omit<FacadeOptions, 'servers'>> & {
  /** Or how they are found out. */
  servers: string[] | (() => Promise<string[]>);
};

/** Without `offer` there is no copy of anything. */
export async function startFacade({servers, ...options}: SetUp): Promise<RunningFacade> {
  const shown: Shown[] = [];
  const passed: Passed[] = [];
  const avoided: string[] = [];
  const facade = createFacade({
    tls: {},
    parse: parseRecord,
    offer: async () => ({why: 'there is none', reason: 'failed'}),
    hold: 60_000,
    maxConnections: 100,
    onShown: one => shown.push(one),
    onPassed: one => passed.push(one),
    ...options,
    servers: {
      list: typeof servers === 'function' ? servers : async () => servers,
      avoid: server => avoided.push(server),
    },
  });
  const port = await facade.listen({host: '127.0.0.1', port: 0});
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    facade,
    shown,
    passed,
    avoided,
    [Symbol.asyncDispose]: () => facade.drain(AbortSignal.abort()),
  };
}
