import type {ErrorKind} from './errors.ts';

/**
 * What it means that a server could not listen, by the code of the system's error: `conflict`, somebody else does; `unavailable`,
 * the address or its name is not there yet, and may come (an interface that is late, a virtual IP of another host); else `config`.
 */
export function listenFailure(code: string | undefined): Extract<ErrorKind, 'conflict' | 'unavailable' | 'config'> {
  if (code === 'EADDRINUSE') return 'conflict';
  return code === 'EADDRNOTAVAIL' || code === 'EAI_AGAIN' ? 'unavailable' : 'config';
}
