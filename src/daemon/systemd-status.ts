import type {RegistrationStatus} from '../core/registration.ts';
import {type Part, type PartHealth, parts} from './health.ts';

export type Condition = {
  cell: string | undefined;
  registration: RegistrationStatus;
  /** The images that are being filled. */
  fills: readonly string[];
  health(part: Part): PartHealth;
};

/** What `systemctl status` shows of the agent. Without what changes all the time, such as how far a fill is. */
export function statusLine({cell, registration, fills, health}: Condition): string {
  const {state, why} = registration;
  const down = parts.filter(part => health(part).state === 'down');
  return [
    cell === undefined ? 'serving' : `serving cell ${cell}`,
    `registration: ${state}${state === 'refused' && why !== undefined ? ` (${why})` : ''}`,
    fills.length === 0 ? 'no fills' : `filling ${fills.length === 1 ? fills[0] : `${fills.length} images`}`,
    ...down.map(part => `${part} is down`),
  ].join('; ');
}
