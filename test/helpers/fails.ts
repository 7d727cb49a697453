import {inspect} from 'node:util';
import type {ExecutionContext} from 'ava';
import {CellarError, type ErrorKind} from '../../src/core/errors.ts';

/** What tests use as tokens and passwords: all begin with this, and no error may hold it. */
export const secretMark = 's3cr3t';

/** The promise fails with a CellarError of this kind and message, in which no secret can be found however it is printed. */
export async function fails(
  t: ExecutionContext,
  promise: Promise<unknown>,
  kind: ErrorKind,
  message: RegExp,
): Promise<CellarError> {
  const error = await t.throwsAsync(promise, {instanceOf: CellarError, message});
  t.is(error.kind, kind);
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    for (const text of [one.message, one.stack ?? '', String(one), JSON.stringify(one)]) t.notRegex(text, /s3cr3t/);
  }
  const printed = inspect(error, {
    depth: Number.POSITIVE_INFINITY,
    showHidden: true,
    maxStringLength: null,
    maxArrayLength: null,
  });
  t.notRegex(printed, /s3cr3t/);
  return error;
}
