import {inspect} from 'node:util';
import {CellarError} from '../../../src/core/errors.ts';

/** Characters of a message that came of somebody else's words: it goes into logs, and to people. */
const mostWords = 2000;

/** What came of it, or undefined for an error of ours that is no bug, is short, and holds none of the secrets. */
export async function outcome<T>(secrets: string[], act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof CellarError)) throw error;
    if (error.kind === 'internal') throw new Error(`a bug: ${error.message}`, {cause: error});
    const said = `${error.message} ${error.hint ?? ''} ${error.object ?? ''}`;
    if (said.length > mostWords) throw new Error(`${said.length} characters: ${said.slice(0, 200)}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (/[\0-\x1f\x7f]/.test(said)) throw new Error(`control characters: ${JSON.stringify(said)}`);
    const printed = inspect(error, {depth: 9, showHidden: true, maxStringLength: null});
    if (secrets.some(secret => printed.includes(secret))) throw new Error(`it holds a secret: ${printed}`);
    return undefined;
  }
}
