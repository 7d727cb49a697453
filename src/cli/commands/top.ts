import type {Argv} from 'yargs';
import type {FillsAnswer} from '../../api/wire.ts';
import {bar} from '../bar.ts';
import {type Act, examples} from '../command.ts';
import {Live} from '../live.ts';
import type {Result} from '../output.ts';
import type {Session} from '../session.ts';
import {harmless, table} from '../table.ts';
import {formatClock, formatSize, parseDuration} from '../units.ts';

type Args = {interval?: string};
type Fill = FillsAnswer['fills'][number];

export const topUsage = (yargs: Argv) =>
  yargs
    .usage(examples('top', ['cellar top', 'cellar top --json | jq .fills[].image']))
    .option('interval', {type: 'string', requiresArg: true, default: '2s', describe: 'between two looks'});

/** On a terminal until `q` or Ctrl-C; anywhere else, and with --json or --quiet, once. */
export const topHandler = (act: Act) => act(show);

async function show(session: Session, {interval = '2s'}: Args): Promise<Result> {
  const pause = parseDuration(interval);
  const client = await session.client();
  const look = (signal: AbortSignal) => client.fills({...session.call, signal});
  const {stdout, env, format, signal} = session;
  if (format !== 'text' || !stdout.isTTY || env['TERM'] === 'dumb') {
    const answer = await look(signal);
    return {json: answer, ids: answer.fills.map(({image}) => image), text: describe(answer.fills, () => undefined)};
  }
  const rates = new Rates();
  await using live = new Live(session);
  await live.run(pause, async soon => {
    const {fills} = await look(soon);
    rates.learn(fills, performance.now());
    return `${heading(fills)}\n\n${describe(fills, fill => rates.of(fill))}`;
  });
  return {json: {}, ids: [], text: ''};
}

const heading = (fills: readonly Fill[]): string => {
  const running = fills.filter(({state}) => state === 'filling').length;
  const time = new Date().toTimeString().slice(0, 8);
  return `${time}  ${running} ${running === 1 ? 'fill' : 'fills'} in the cell  (q ends)`;
};

/** A line for each fill; `rate` in bytes per second. */
export function describe(fills: readonly Fill[], rate: (fill: Fill) => number | undefined): string {
  if (fills.length === 0) return 'no fill is under way in the cell\n';
  const header = ['IMAGE', 'HOST', 'PROGRESS', 'SIZE', 'MIB/S', 'LEFT'];
  return table(
    header,
    fills.map(fill => row(fill, rate(fill))),
    [3, 4, 5],
  );
}

function row(fill: Fill, rate: number | undefined): string[] {
  const {image, host, state, received, size} = fill;
  const known = received !== null && size !== null;
  const moving = known && rate !== undefined && rate > 0;
  return [
    harmless(image),
    state === 'left' ? 'nobody' : harmless(host ?? 'not heard yet'),
    known ? bar(received, size, 10) : '-',
    known ? formatSize(size) : '-',
    moving ? (rate / 1024 ** 2).toFixed(1) : '-',
    moving ? formatClock(Math.ceil((size - received) / rate)) : '-',
  ];
}

/** Bytes per second of each fill over the last ten seconds. */
class Rates {
  #seen = new Map<string, {at: number; received: number}[]>();

  learn(fills: readonly Fill[], at: number): void {
    const seen = new Map<string, {at: number; received: number}[]>();
    for (const {generation, received} of fills) {
      if (received === null) continue;
      const before = (this.#seen.get(generation) ?? []).filter(
        (one, i, {length}) => one.at > at - 10_000 || i === length - 1,
      );
      seen.set(generation, [...before, {at, received}]);
    }
    this.#seen = seen;
  }

  of({generation}: Fill): number | undefined {
    const samples = this.#seen.get(generation) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined || last.at === first.at) return undefined;
    return ((last.received - first.received) / (last.at - first.at)) * 1000;
  }
}
