/** How long calls took, and how they failed. */
import {asCellarError, type ErrorKind} from '../core/errors.ts';
import type {Cell} from '../core/ports.ts';
import type {cephOperations, glanceOperations} from '../metrics/agent.ts';

export type CephOperation = (typeof cephOperations)[number];
export type GlanceOperation = (typeof glanceOperations)[number];

export type Told<Operation> = (operation: Operation, seconds: number, failed: ErrorKind | undefined) => void;

/** The object with those of its methods timed that answer with a promise and have a name here. Fields are passed through. */
export function timed<T extends object, Operation>(
  target: T,
  operations: {[M in keyof T]?: Operation},
  told: Told<Operation>,
): T {
  return new Proxy(target, {
    get: (_, key) => {
      const value: unknown = Reflect.get(target, key, target);
      const operation = operations[key as keyof T];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const started = performance.now();
        const answer: unknown = value.apply(target, args);
        if (operation === undefined || !(answer instanceof Promise)) return answer;
        const seconds = () => (performance.now() - started) / 1000;
        answer.then(
          () => told(operation, seconds(), undefined),
          error => told(operation, seconds(), asCellarError(error).kind),
        );
        return answer;
      };
    },
  });
}

/** The cell with every operation timed that the core asks for; a fill's writes, and what reads a whole copy, take as long as the copy is large, and are not. */
export function timedCell<C extends Cell>(cell: C, told: Told<CephOperation>): C {
  const {disks, trash, copies, index, usage, leases, intents} = cell;
  return {
    ...cell,
    disks: timed(
      disks,
      {
        fsid: 'fsid',
        parentState: 'parent-state',
        state: 'disk-state',
        clone: 'disk-clone',
        grow: 'disk-grow',
        complete: 'disk-complete',
        remove: 'disk-remove',
      },
      told,
    ),
    trash: timed(trash, {holds: 'trash'}, told),
    copies: timed(
      copies,
      {create: 'copy-create', remove: 'copy-remove', list: 'copy-list', hasClones: 'copy-list', room: 'pool-room'},
      told,
    ),
    index: timed(index, indexOperations, told),
    usage: timed(usage, {touch: 'usage', forget: 'usage', list: 'usage'}, told),
    leases: timed(leases, {acquire: 'lease', holder: 'lease', follow: 'lease', list: 'lease'}, told),
    intents: timed(intents, {get: 'intent', put: 'intent', clear: 'intent', list: 'intent'}, told),
  };
}

const indexOperations = {
  get: 'index-read',
  list: 'index-read',
  survey: 'index-read',
  claims: 'index-read',
  retired: 'index-read',
  pins: 'index-read',
  claim: 'index-write',
  publish: 'index-write',
  unclaim: 'index-write',
  retire: 'index-write',
  forget: 'index-write',
  pin: 'index-write',
  unpin: 'index-write',
} as const satisfies {[M in keyof Cell['index']]: CephOperation};

export const glanceNames = {
  get: 'show',
  locations: 'locations',
  listable: 'list',
  download: 'download',
} as const satisfies Record<string, GlanceOperation>;
