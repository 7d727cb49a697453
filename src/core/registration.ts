/** How far this host is registered with its cell: what src/nova finds out, and the API tells. */
export type RegistrationStatus = {
  /**
   * off: it is not the agent's business. waiting: nothing is written yet, it is tried again. registered: the compute node is
   * there. mapped: the host mapping too. refused: an operator must decide; it is tried again, but only what has changed since
   * will help.
   */
  state: 'off' | 'waiting' | 'registered' | 'mapped' | 'refused';
  /** What is missing, and why. */
  why?: string;
  /** What to do about it. */
  hint?: string;
  node?: {name: string; uuid: string};
  cell?: {name: string | null; uuid: string};
};
