/** What each Glance server offers, as far as we care. */
import {z} from 'zod';
import type {TextAnswer} from '../http/exchange.ts';

/** Whether GET /v2/images/{id}/locations is there: since API v2.17 (2024.2). */
export type Offer = {listsLocations: boolean};

/** Remembers the answers to GET /versions for a while: servers are upgraded. */
export class Versions {
  readonly #offers = new Map<string, Offer & {until: number}>();
  readonly #ttl: number;

  /** `ttl` in milliseconds. */
  constructor(ttl: number) {
    this.#ttl = ttl;
  }

  known(server: string): Offer | undefined {
    const offer = this.#offers.get(server);
    return offer && performance.now() < offer.until ? offer : undefined;
  }

  learn(server: string, answer: TextAnswer): Offer {
    const listsLocations = offersLocations(answer);
    this.#offers.set(server, {listsLocations, until: performance.now() + this.#ttl});
    return {listsLocations};
  }
}

/** Glance answers 200 at /versions and 300 at /, others the other way round. Whatever else comes is no promise of anything. */
function offersLocations({status, text}: TextAnswer): boolean {
  if (status !== 200 && status !== 300) return false;
  const parsed = versionsSchema.safeParse(parseJson(text));
  return parsed.success && parsed.data.versions.some(({id}) => isAtLeast217(id));
}

function isAtLeast217(id: string): boolean {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)$/.exec(id) ?? [];
  return major === '2' && Number(minor) >= 17;
}

const versionsSchema = z.object({versions: z.array(z.object({id: z.string()}))});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
