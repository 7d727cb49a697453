/** The API's published description: made from the routes and the wire's schemas, kept in docs/api/openapi.json. */
import {writeFile} from 'node:fs/promises';
import {z} from 'zod';
import {errorKinds} from '../core/errors.ts';
import {diskName, imageId, poolName, token} from './names.ts';
import {type Route, routes, type TextRoute} from './routes.ts';
import * as wire from './wire.ts';

/** The whole document. The same routes give the same text, so a test can compare the file. */
export function openapi(): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'cellar agent',
      version: '1',
      description: 'Over the unix socket of the agent. Requests are strict; answers may gain fields. See docs/api.md.',
      license: {name: 'Apache-2.0', identifier: 'Apache-2.0'},
    },
    servers: [{url: 'http://localhost', description: 'the socket of [agent] socket; the host name means nothing'}],
    paths: Object.fromEntries([...new Set(routes.map(route => route.path))].map(path => [path, operations(path)])),
    components: {
      schemas: componentSchemas(),
      responses: {error: errorResponse},
    },
  };
}

/** The file's text, in the form that the formatter leaves alone: short lists of words on one line. */
export const openapiText = (): string =>
  `${JSON.stringify(openapi(), undefined, 2)}\n`.replace(
    /^( *(?:"\w+": )?)\[\s+("[^"]*"(?:,\s+"[^"]*")*)\s+\](,?)$/gm,
    (list, start, words, end) => {
      const line = `${start}[${words.replace(/,\s+/g, ', ')}]${end}`;
      return line.length > 120 ? list : line;
    },
  );

/** By the names under which the document refers to them. */
const schemas: Record<string, z.ZodType> = {
  DiskRequest: wire.diskRequest,
  Disk: wire.diskAnswer,
  DiskView: wire.diskViewAnswer,
  Deletion: wire.deletionAnswer,
  Image: wire.imageAnswer,
  Images: wire.imagesAnswer,
  PrefetchRequest: wire.prefetchRequest,
  Prefetch: wire.prefetchAnswer,
  Verification: wire.verificationAnswer,
  Pin: wire.pinAnswer,
  Eviction: wire.evictionAnswer,
  Status: wire.statusAnswer,
  Fills: wire.fillsAnswer,
  Health: wire.healthAnswer,
  StreamLine: wire.streamLine,
  Error: wire.errorAnswer,
};

/** `input`: what is written on the wire, and open to fields that a later version adds, as readers must be. */
function jsonSchema(schema: z.ZodType): object {
  const {$schema: _, ...rest} = z.toJSONSchema(schema, {io: 'input'});
  return rest;
}

/** Made together, so that one that holds another refers to it by name. */
function componentSchemas(): object {
  const registry = z.registry<{id: string}>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, {id});
  const made = z.toJSONSchema(registry, {io: 'input', uri: id => `#/components/schemas/${id}`}).schemas;
  return Object.fromEntries(Object.entries(made).map(([name, {$schema: _, $id: __, ...rest}]) => [name, rest]));
}

function reference(schema: z.ZodType): object {
  const name = Object.keys(schemas).find(key => schemas[key] === schema);
  if (name === undefined) throw new Error('a route uses a schema that has no name in the document');
  return {$ref: `#/components/schemas/${name}`};
}

function operations(path: string): object {
  const here = routes.filter(route => route.path === path);
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: jsonSchema(pathParameters[name ?? ''] ?? z.string()),
  }));
  const methods = here.map(route => [route.method.toLowerCase(), operation(route)]);
  return {...(parameters.length > 0 && {parameters}), ...Object.fromEntries(methods)};
}

const pathParameters: Record<string, z.ZodType> = {pool: poolName, name: diskName, id: imageId};

function operation(route: Route | TextRoute): object {
  if (route.text === undefined) return jsonOperation(route);
  const content = {[route.media]: {schema: {type: 'string'}}};
  return {
    summary: route.summary,
    parameters: [requestId],
    responses: {
      200: {description: 'done', headers: answerHeaders, content},
      default: {$ref: '#/components/responses/error'},
    },
  };
}

function jsonOperation({summary, body, answer, streams}: Route): object {
  return {
    summary,
    parameters: [requestId, ...(body ? [tokenHeader] : [])],
    ...(body && {requestBody: {required: true, content: {[wire.mediaTypes.json]: {schema: reference(body)}}}}),
    responses: {
      200: {
        description: streams ? 'done; by Accept in one piece or line by line' : 'done',
        headers: answerHeaders,
        content: {
          [wire.mediaTypes.json]: {schema: reference(answer)},
          ...(streams && {[wire.mediaTypes.ndjson]: {schema: reference(wire.streamLine)}}),
        },
      },
      default: {$ref: '#/components/responses/error'},
    },
  };
}

const requestId = {
  name: wire.headers.requestId,
  in: 'header',
  required: false,
  schema: {type: 'string', pattern: '^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'},
  description: 'Goes on to Glance and into the logs; of another form, or missing, it is made up.',
};

const tokenHeader = {name: wire.headers.token, in: 'header', required: false, schema: jsonSchema(token)};

const text = {schema: {type: 'string'}};
const answerHeaders = {[wire.headers.version]: text, [wire.headers.requestId]: text};

const errorResponse = {
  description: Object.entries(errorKinds)
    .map(([kind, {status, meaning}]) => `${status} ${kind}: ${meaning}`)
    .join('; '),
  headers: answerHeaders,
  content: {[wire.mediaTypes.json]: {schema: reference(wire.errorAnswer)}},
};

// `node src/api/openapi.ts` writes the file anew.
if (import.meta.main) {
  await writeFile(new URL('../../docs/api/openapi.json', import.meta.url), openapiText());
}
