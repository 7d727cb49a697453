/** What happened, as values: the core publishes, src/daemon/observe turns them into log lines, and the API into progress. */
export type Event =
  | {type: 'fill-started'; image: string; generation: string; size: number}
  | {type: 'fill-progress'; image: string; received: number; size: number}
  | {type: 'fill-published'; image: string; generation: string; size: number; written: number; ms: number}
  | {type: 'fill-failed'; image: string; generation: string; error: Error}
  | {type: 'fill-waiting'; image: string; holder: string}
  | {type: 'copy-removed'; name: string; why: string}
  | {type: 'copy-kept'; name: string; error: Error}
  | {type: 'disk-kept'; pool: string; name: string; error: Error}
  | {type: 'disk-repaired'; pool: string; name: string; why: string}
  | {type: 'copy-retired'; image: string; name: string; why: string; quarantined: boolean}
  | {type: 'janitor-failed'; step: string; error: Error}
  | {type: 'base-file-removed'; image: string; path: string; bytes: number}
  | {type: 'base-file-kept'; image: string; path: string; why: string}
  | {type: 'base-files-failed'; error: Error}
  | {type: 'lease-lost'; name: string}
  | {type: 'offer-failed'; image: string; error: Error};

export type Emit = (event: Event) => void;
