import type {Progress} from './request.ts';

/** What a filler tells of its fill to those who wait for it on other hosts. */
export type Bulletin = Progress & {schema: 1; generation: string /** Of an agent that says so. */; host?: string};

export const formatBulletin = ({image, generation, received, size, host}: Omit<Bulletin, 'schema'>): string =>
  JSON.stringify({schema: 1, image, generation, received, size, ...(host !== undefined && {host})} satisfies Bulletin);

/** undefined for anything but a bulletin of this image: whoever may write to the pool may have told it. Pure. */
export function parseBulletin(text: string, image: string): Bulletin | undefined {
  let value: Partial<Bulletin> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const {schema, image: of, generation, received, size, host} = value ?? {};
  if (schema !== 1 || of !== image || typeof generation !== 'string') return undefined;
  if (!isBytes(received) || !isBytes(size) || received > size) return undefined;
  return {schema, image, generation, received, size, ...(isHost(host) && {host})};
}

const isHost = (value: unknown): value is string => typeof value === 'string' && value.length <= 255;

const isBytes = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
