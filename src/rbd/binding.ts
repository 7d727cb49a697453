import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';
import {CellarError} from '../core/errors.ts';
import type {NativeBinding} from './native.ts';
import {RbdError} from './rbd-error.ts';

type Addon = NativeBinding & {
  setErrorClass(errorClass: typeof RbdError): void;
  /** Ends every connection and waits for that, for at most 5 s: process.exit() runs no cleanup hook. */
  endOfProcess(): void;
};

const require = createRequire(import.meta.url);
let loaded: NativeBinding | undefined;

/** The addon, loaded at the first call: whoever needs no cluster needs no librbd. Throws a CellarError `config`. */
export function loadBinding(): NativeBinding {
  loaded ??= load(candidates());
  return loaded;
}

/** CELLAR_RBD_BINDING stands alone: a sanitized or instrumented build is never replaced by another in silence. */
function candidates(): string[] {
  const given = process.env['CELLAR_RBD_BINDING'];
  return given ? [given] : [fileURLToPath(new URL('../../build/Release/rbd.node', import.meta.url))];
}

function load(paths: string[]): NativeBinding {
  const attempts: string[] = [];
  for (const path of paths) {
    try {
      const addon = require(path) as Addon;
      addon.setErrorClass(RbdError);
      process.once('exit', () => addon.endOfProcess());
      return addon;
    } catch (error) {
      attempts.push(`${path}: ${firstLine(error)}`);
    }
  }
  throw new CellarError('config', `The Ceph addon could not be loaded. Tried ${attempts.join('; ')}`, {
    hint: 'Install librbd1 and librados2 16.2 or newer (apt install librbd1); in a source tree also librbd-dev, then run: npm run build:native',
  });
}

/** The lines below are Node's require stack. */
function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}
