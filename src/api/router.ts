import {CellarError} from '../core/errors.ts';
import {Refusal} from './problem.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** What a route must have to be found: `{braces}` stand for one segment of the path that is not empty. */
export type Routed = {method: Method; path: string};

export type Found<Route> = {route: Route; params: Record<string, string>};

/**
 * Finds the route of a request. The path is split first and each segment percent-decoded once, so that an escaped slash is
 * part of a name and never a separator; nothing is folded, '..' is a segment like any other. Not found is `not-found`, a
 * path that has other methods is a 405 that names them.
 */
export function findRoute<Route extends Routed>(
  routes: readonly Route[],
  method: string,
  target: string,
): Found<Route> {
  if (target.includes('?')) throw new CellarError('usage', 'this API takes no query parameters');
  const segments = target.split('/').map(decode);
  const matches = routes.flatMap(route => {
    const params = match(route.path.split('/'), segments);
    return params === undefined ? [] : [{route, params}];
  });
  if (matches.length === 0) throw new CellarError('not-found', 'the agent has no such path', {hint: 'see docs/api.md'});
  const found = matches.find(({route}) => route.method === method);
  if (found !== undefined) return found;
  const allow = matches.map(({route}) => route.method).join(', ');
  throw new Refusal(405, 'usage', `this path takes ${allow}, not ${method}`, {headers: {Allow: allow}});
}

function match(pattern: string[], segments: string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] ?? '';
    if (part.startsWith('{') && segment !== '') params[part.slice(1, -1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new CellarError('usage', 'the path holds a broken percent escape');
  }
}
