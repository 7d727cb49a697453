import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {QemuView} from '../core/format/index.ts';
import type {QemuLimits} from './limits.ts';
import {type QemuResult, qemuImg} from './run.ts';
import {absolute, sourceSpec} from './source.ts';

export type CheckOptions = {
  /** An absolute path. */
  path: string;
  /** What the inspector found: QEMU has to see the same. */
  expected: {qemu: QemuView; virtualSize: number};
  limits: QemuLimits;
  signal: AbortSignal;
};

export type Opinion = {ok: true} | {ok: false; why: string};

const info = z.object({
  format: z.string(),
  'virtual-size': z.number(),
  'backing-filename': z.string().optional(),
  'full-backing-filename': z.string().optional(),
  encrypted: z.boolean().optional(),
  'dirty-flag': z.boolean().optional(),
  'format-specific': z
    .object({
      data: z.looseObject({'data-file': z.string().optional(), 'create-type': z.string().optional()}).optional(),
    })
    .optional(),
});

type Info = z.infer<typeof info>;

const problems = z.object({corruptions: z.number().default(0), 'check-errors': z.number().default(0)});

/** QEMU reads data that such a file has lost as zeros, without a word: its tables are walked to see that all of it is there. */
const checkable: string[] = ['qcow2', 'vmdk'];

/**
 * QEMU's opinion of an inspected file, before it is converted: told the format, it must see the same disk; not told, it must
 * find the same format; and nothing of the file may be missing. Never the first to look: the inspector has refused by then
 * what would make it open a second file. "No" is a value; fails only when qemu-img cannot be run, or by an abort.
 */
export async function checkWithQemu({path, expected, limits, signal}: CheckOptions): Promise<Opinion> {
  const {qemu, virtualSize} = expected;
  const run = (args: string[]) => qemuImg(args, {limits, signal});
  const spec = ['-f', qemu.driver, sourceSpec(qemu, path)];
  const told = parse(info, await run(['info', '--output=json', ...spec]));
  if (!told.ok) return told;
  const different = whyDifferent(told.value, qemu.driver, virtualSize);
  if (different !== undefined) return {ok: false, why: different};

  const untold = parse(info, await run(['info', '--output=json', absolute(path)]));
  if (!untold.ok) return untold;
  if (untold.value.format !== qemu.probed)
    return {ok: false, why: `it is ${qemu.probed} by its header, but QEMU takes it for ${untold.value.format}`};

  // the counts of an image that was not closed are stale by design, and say nothing about its data
  if (!checkable.includes(qemu.driver) || told.value['dirty-flag'] === true) return {ok: true};
  const checked = parse(problems, await run(['check', '--output=json', ...spec]), [0, 2, 3]);
  if (!checked.ok) return {ok: false, why: `it is damaged or cut off: ${checked.why}`};
  const wrong = checked.value.corruptions + checked.value['check-errors'];
  return wrong === 0 ? {ok: true} : {ok: false, why: `it is damaged or cut off: QEMU counts ${wrong} errors in it`};
}

function whyDifferent(told: Info, driver: string, virtualSize: number): string | undefined {
  if (told.format !== driver) return `it is ${driver} by its header, but QEMU reads ${told.format}`;
  if (told['virtual-size'] !== virtualSize)
    return `its disk has ${virtualSize} bytes by its header, but ${told['virtual-size']} for QEMU`;
  if (told['backing-filename'] !== undefined || told['full-backing-filename'] !== undefined)
    return 'QEMU would read a backing file';
  if (told['format-specific']?.data?.['data-file'] !== undefined) return 'QEMU would read an external data file';
  if (told.encrypted === true) return 'it is encrypted';
  const kind = told['format-specific']?.data?.['create-type'];
  if (driver === 'vmdk' && kind !== 'monolithicSparse' && kind !== 'streamOptimized')
    return `QEMU takes it for a VMDK of the kind ${kind ?? 'unknown'}`;
  return undefined;
}

/** What qemu-img printed, if it ended with a status that goes with an answer. */
function parse<V>(
  schema: z.ZodType<V>,
  result: QemuResult,
  statuses = [0],
): {ok: true; value: V} | {ok: false; why: string} {
  const {status, stdout, stderr, died} = result;
  if (died !== undefined) return {ok: false, why: `QEMU could not look at it: ${died}`};
  if (status === null || !statuses.includes(status))
    return {ok: false, why: `QEMU cannot read it: ${withoutPath(stderr) || `status ${status}`}`};
  try {
    return {ok: true, value: schema.parse(JSON.parse(stdout))};
  } catch (cause) {
    throw new CellarError('internal', 'qemu-img gave an answer that is not understood', {cause});
  }
}

/** Where the file lay for a moment tells the operator nothing. */
const withoutPath = (stderr: string): string =>
  (stderr.split('\n').at(-1) ?? '')
    .replace(/^qemu-img: /, '')
    .replaceAll(/Could not open '.*?': /g, '')
    .slice(0, 300);
