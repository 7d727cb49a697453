/** What happens on the message bus, for whoever logs and counts it. */
import type {CellarError} from '../core/errors.ts';

export type BusEvent =
  | {type: 'bus-connected'; broker: string}
  | {type: 'bus-connect-failed'; broker: string; error: CellarError}
  | {type: 'bus-lost'; broker: string; error: CellarError}
  | {type: 'bus-blocked'; broker: string; reason: string}
  | {type: 'bus-unblocked'; broker: string}
  /** `late`: nobody waits for it any more; `duplicate`; `unreadable`: not an answer of oslo.messaging's. */
  | {type: 'reply-dropped'; why: 'late' | 'duplicate' | 'unreadable'; detail: string};

export type EmitBusEvent = (event: BusEvent) => void;
