/** Properties that are tried for so long, with what ever failed tried first. */
import {appendFileSync, readFileSync} from 'node:fs';
import type {ExecutionContext} from 'ava';
import fc from 'fast-check';

/** How long one of them goes on: 3 s beside the other tests, longer in a run of its own. */
export const seconds = Number(process.env['CELLAR_FUZZ_SECONDS'] ?? 3);

/**
 * Runs `holds`, which throws when it does not, on saved values and then on made ones. `seeds` has one value a line, as JSON, so
 * values must survive JSON. A value that fails is made small and added to the file: from then on it comes first.
 */
export async function fuzz<T>(
  t: ExecutionContext,
  seeds: URL,
  values: fc.Arbitrary<T>,
  holds: (value: T) => Promise<void> | void,
): Promise<void> {
  const lines = readFileSync(seeds, 'utf8').split('\n');
  const saved = lines.filter(line => line !== '').map((line): T => JSON.parse(line));
  for (const value of saved) await holds(value); // all of them, however slow the machine is today
  let runs = 0;
  let last: Promise<void> | undefined;
  const property = fc.asyncProperty(values, value => {
    runs++;
    last = (async () => holds(value))();
    return last;
  });
  const result = await fc.check(property, {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
    maxSkipsPerRun: 0,
  });
  await last?.catch(() => {}); // when the time is over, it is not waited for
  t.log(`${saved.length} saved values, and ${runs} more in ${seconds} s`);
  if (result.failed) {
    const failed = JSON.stringify(result.counterexample?.[0]);
    appendFileSync(seeds, `${failed}\n`);
    t.fail(`${result.errorInstance}; kept in ${seeds.pathname}: ${failed.slice(0, 2000)}`);
  } else t.pass();
}

/** Text of bytes, each a character: what goes over a socket, and into a file of seeds. */
export const bytes = (constraints?: {minLength?: number; maxLength?: number}): fc.Arbitrary<string> =>
  fc.uint8Array(constraints).map(array => Buffer.from(array).toString('latin1'));

/** Changes a text here and there: a character put in, taken out, replaced, or a piece doubled. */
export const changes = fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.nat(255)), {maxLength: 4});

export function changed(text: string, list: [number, number, number][]): string {
  let result = text;
  for (const [place, change, code] of list) {
    const at = place % (result.length + 1);
    const char = String.fromCharCode(code);
    const [before, after] = [result.slice(0, at), result.slice(at)];
    if (change === 0) result = before + char + after;
    else if (change === 1) result = before + after.slice(1);
    else if (change === 2) result = before + char + after.slice(1);
    else result = before + after.slice(0, code) + after;
  }
  return result;
}

/** Values of JSON that readers do not expect: of every type, empty, huge, nested, with names that mean something to JavaScript. */
export const strangeJson: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, '', ' ', [], {}, [[]], [null]),
  },
  {weight: 2, arbitrary: fc.string({maxLength: 20})},
  {
    weight: 1,
    arbitrary: fc.constantFrom('x'.repeat(100_000), '\0', '\u2028', '\ud800', '../..', "'; --", '\u001b[2J', 'a\nb'),
  },
  {weight: 1, arbitrary: fc.jsonValue({maxDepth: 3})},
);

/** JSON text of a value in which one member, wherever it is, is replaced, dropped or joined by another; or which is nested deeply. */
export const nearlyJson = (value: unknown): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.nat(),
      fc.constantFrom('replace', 'drop', 'add', 'proto', 'deep', 'none'),
      strangeJson,
      changes,
      fc.boolean(),
    )
    .map(([place, how, strange, list, garble]) => {
      const text = JSON.stringify(withChange(value, place, how, strange)).replace('"deep"', deep);
      return garble && list.length > 0 ? changed(text, list) : text;
    });

function withChange(value: unknown, place: number, how: string, strange: unknown): unknown {
  const copy = structuredClone(value);
  if (how === 'none') return copy;
  const holders = holdersIn(copy);
  const holder = holders[place % Math.max(1, holders.length)];
  if (holder === undefined) return strange;
  const keys = Object.keys(holder);
  const key = keys[place % Math.max(1, keys.length)] ?? 'x';
  const target = holder as Record<string, unknown>;
  if (how === 'replace') target[key] = strange;
  else if (how === 'drop') delete target[key];
  else if (how === 'deep') target[key] = 'deep';
  else if (how === 'add') target[`x${place}`] = strange;
  // as JSON.parse does: an own member, which a careless copy would make the prototype
  else
    Object.defineProperty(target, '__proto__', {value: {polluted: strange ?? 1}, enumerable: true, configurable: true});
  return copy;
}

/** More levels than a reader that calls itself for each of them has room for. */
export const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

function holdersIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(holdersIn)];
}

/** No answer of the other side may have changed what all objects inherit. */
export function unpolluted(): void {
  const found = Object.keys(Object.prototype).concat(Object.keys(Array.prototype));
  if (found.length > 0 || 'polluted' in {}) throw new Error(`all objects inherit ${found}`);
}
