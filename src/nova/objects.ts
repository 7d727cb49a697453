/** Nova's versioned objects as this folder knows them: which versions, and of their fields those it decides by. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import {type NovaObject, type ObjectClass, readList, readObject} from '../oslo/objects.ts';

export const classes = {
  service: {name: 'Service', version: '1.22'},
  hvSpec: {name: 'HVSpec', version: '1.2'},
  computeNode: {
    name: 'ComputeNode',
    version: '1.19',
    parts: [
      {name: 'HVSpec', version: '1.2'},
      {name: 'PciDevicePoolList', version: '1.1', parts: [{name: 'PciDevicePool', version: '1.1'}]},
    ],
  },
  cellMapping: {name: 'CellMapping', version: '1.1'},
  hostMapping: {name: 'HostMapping', version: '1.0', parts: [{name: 'CellMapping', version: '1.1'}]},
} as const satisfies Record<string, ObjectClass>;

export const lists = {
  computeNode: {name: 'ComputeNodeList', version: '1.17', parts: [classes.computeNode]},
  cellMapping: {name: 'CellMappingList', version: '1.1', parts: [classes.cellMapping]},
} as const satisfies Record<string, ObjectClass>;

const computeNode = z.object({
  id: z.int(),
  uuid: z.string(),
  host: z.string().nullable(),
  hypervisor_hostname: z.string().nullable(),
  /** 1: the row has a host mapping, as discover_hosts left it. */
  mapped: z
    .int()
    .nullish()
    .transform(mapped => mapped ?? 0),
  deleted: z
    .boolean()
    .nullish()
    .transform(deleted => deleted ?? false),
});

const service = z.object({
  id: z.int(),
  uuid: z.string(),
  report_count: z.int(),
  version: z
    .int()
    .nullish()
    .transform(version => version ?? 0),
  disabled: z
    .boolean()
    .nullish()
    .transform(disabled => disabled ?? false),
});

/** A row of `compute_nodes`. */
export type ComputeNode = z.infer<typeof computeNode>;
/** A row of `services`. */
export type Service = z.infer<typeof service>;

export const readComputeNode = (answer: unknown): ComputeNode => fields(readObject(answer, 'ComputeNode'), computeNode);

export const readComputeNodes = (answer: unknown): ComputeNode[] =>
  readList(answer, 'ComputeNodeList', 'ComputeNode').map(one => fields(one, computeNode));

export const readService = (answer: unknown): Service => fields(readObject(answer, 'Service'), service);

/** An object's fields by a schema. What does not fit is named, and not shown: answers hold secrets. */
export function fields<T extends z.ZodType>({name, data}: NovaObject, schema: T): z.infer<T> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CellarError('unavailable', `the conductor's ${name} is none: ${issue?.path.join('.') ?? 'no fields'}`, {
    hint: 'it may be of a release of Nova that this agent does not know',
  });
}
