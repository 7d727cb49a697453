/** Ctrl-C and SIGTERM: once aborts the request, so that the agent hears of it; twice leaves at once. */
import {CellarError} from '../core/errors.ts';

export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
  /** 128 and the signal's number, once one came. */
  readonly exit: number | undefined;
}

const codes = {SIGINT: 130, SIGTERM: 143} as const;
type Name = keyof typeof codes;

/** How long an abort may take before the process leaves all the same. */
const patience = 2000;

export function interruptible(process: NodeJS.Process): Interrupt {
  const controller = new AbortController();
  let exit: number | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    if (exit !== undefined) process.exit(exit);
    const code = codes[name as Name];
    exit = code;
    controller.abort(new CellarError('cancelled', 'interrupted'));
    setTimeout(() => process.exit(code), patience).unref();
  };
  for (const name of Object.keys(codes) as Name[]) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get exit() {
      return exit;
    },
    [Symbol.dispose]() {
      for (const name of Object.keys(codes) as Name[]) process.off(name, onSignal);
    },
  };
}
