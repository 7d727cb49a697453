import type {Logger} from 'pino';
import {asCellarError} from '../core/errors.ts';
import type {NativeBinding} from '../rbd/native.ts';
import type {ServiceEnvironment} from '../service/environment.ts';
import {ServiceManager} from '../service/manager.ts';
import {keepWatched} from '../service/watchdog.ts';
import {addonProbe} from './systemd-alive.ts';
import {type Condition, statusLine} from './systemd-status.ts';

export type AgentServiceOptions = {
  environment: ServiceEnvironment;
  log: Logger;
  condition(): Condition;
  addon: Pick<NativeBinding, 'ping' | 'counters' | 'threadLimit'>;
};

/** ms between two looks at what `systemctl status` shows. */
const lookAgain = 5000;

/** ms, besides what requests are given: fills that were given up are cleaned up, connections ended. */
const cleanUp = 90_000;

/** The agent as systemd sees it. Without systemd nothing is told, and nothing is different. */
export class AgentService {
  readonly #options: AgentServiceOptions;
  readonly #manager: ServiceManager;
  /** What the last reload left to be told. */
  #note = '';

  constructor(options: AgentServiceOptions) {
    const {environment, log} = options;
    this.#options = options;
    const onTrouble = (error: unknown) =>
      log.warn({error: asCellarError(error).message}, 'systemd cannot be told how the agent is');
    this.#manager = new ServiceManager({socket: environment.socket, onTrouble});
  }

  /** To be called when everything that listens answers; signs of life and the status then follow until the signal aborts. */
  ready(signal: AbortSignal): void {
    const {environment, log, addon} = this.#options;
    this.#manager.ready(this.#status());
    if (environment.socket === undefined) return;
    const looking = setInterval(() => this.#manager.status(this.#status()), lookAgain).unref();
    signal.addEventListener('abort', () => clearInterval(looking), {once: true});
    const {watchdog: interval} = environment;
    if (interval === undefined) return;
    const probe = addonProbe({...addon, patience: interval / 4});
    const onWithheld = (why: string) => log.error({why}, `systemd is given no sign of life: ${why}`);
    void keepWatched({interval, probe, alive: () => this.#manager.alive(), onWithheld}, signal);
  }

  /** `reload` answers what is to be seen of it in the status, or nothing. */
  reloading(reload: () => string): void {
    this.#manager.reloading();
    this.#note = reload();
    this.#manager.ready(this.#status());
  }

  /** `ms` is what requests that run are given. Signs of life go on until the signal of `ready` aborts. */
  stopping(ms: number): void {
    this.#manager.stopping(ms + cleanUp);
  }

  #status(): string {
    const line = statusLine(this.#options.condition());
    return this.#note === '' ? line : `${line}; ${this.#note}`;
  }
}
