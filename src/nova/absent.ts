import {isRemote} from '../oslo/remote-error.ts';

/** The answer, or undefined when the other side says by this exception that there is no such thing. */
export async function absent<T>(answer: Promise<T>, exception: string): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isRemote(error, exception)) return undefined;
    throw error;
  }
}
