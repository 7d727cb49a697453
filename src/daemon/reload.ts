import type {Logger} from 'pino';
import {changesBetween} from '../config/changes.ts';
import type {Source} from '../config/files.ts';
import {type CellarConfig, loadConfig} from '../config/load.ts';
import {options} from '../config/options.ts';
import {asCellarError} from '../core/errors.ts';
import {readSettings, type Settings} from './settings.ts';

/** Groups that are another program's. */
const foreign = new Set(['registrar']);

/** The configuration as it was read last, and what it says that the running agent does not do. */
export class Configuration {
  readonly #sources: readonly Source[];
  /** That of the start: what a reload cannot change is still as it says. */
  readonly #first: CellarConfig;
  #last: CellarConfig;
  #settings: Settings;

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
    this.#first = loadConfig(sources);
    this.#last = this.#first;
    this.#settings = readSettings(this.#first);
  }

  get settings(): Settings {
    return this.#settings;
  }

  /**
   * Reads it again and applies what can change. What cannot is named in a warning. A file with an error changes nothing. Answers
   * what is to be seen of it in the service's status; empty when all is well.
   */
  reload(apply: (settings: Settings) => void, log: Logger): string {
    try {
      const config = loadConfig(this.#sources);
      const settings = readSettings(config);
      const changed = names(differences(this.#last, config).filter(({reload}) => reload));
      const restart = names(differences(this.#first, config).filter(({reload}) => !reload));
      this.#last = config;
      this.#settings = settings;
      apply(settings);
      log.info({changed}, 'the configuration was read again');
      if (restart.length === 0) return '';
      log.warn({options: restart}, `restart needed: changes of ${restart.join(', ')} have no effect before`);
      return `restart needed for ${restart.join(', ')}`;
    } catch (thrown) {
      const {message} = asCellarError(thrown);
      log.error({error: message}, 'the configuration could not be read again; nothing has changed');
      return `the configuration could not be read again: ${message}`;
    }
  }
}

function differences(before: CellarConfig, after: CellarConfig) {
  const section = after.get('agent', 'auth_section');
  const login = after.get('service_user', 'auth_section', section) ?? section;
  return changesBetween(options, before, after, {service_user: login}).filter(({group}) => !foreign.has(group));
}

const names = (changes: {group: string; name: string}[]): string[] =>
  changes.map(({group, name}) => `[${group}] ${name}`);
