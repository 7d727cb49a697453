import type {z} from 'zod';
import {CellarError} from '../core/errors.ts';

/** The value as the schema's type, or `usage` that names every field that is wrong. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new CellarError('usage', `${what}: ${result.error.issues.map(issue => describe(issue, value)).join('; ')}`);
}

/** Field names come from the caller: quoted as JSON, so that they can forge nothing. Values are never repeated. */
function describe(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.slice(0, 5).map(key => JSON.stringify(key.slice(0, 50)));
    return `unknown field ${names.join(', ')}`;
  }
  const path = issue.path.map(String).join('.');
  if (path === '') return issue.message;
  const isMissing =
    issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value) === undefined;
  return isMissing ? `${path} is missing` : `${path} ${issue.message}`;
}
