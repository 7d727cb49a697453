/** The registrar from the agent's side. */
import type {z} from 'zod';
import {readError} from '../api/problem.ts';
import {errorAnswer} from '../api/wire.ts';
import {asCellarError, CellarError} from '../core/errors.ts';
import {exchangeText, type TextAnswer} from '../http/exchange.ts';
import {showUrl} from '../http/failure.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import type {Bus} from '../nova/bus.ts';
import {type Cell, type Claim, fits, nameOf, told} from '../nova/cells.ts';
import * as wire from './wire.ts';

export type RegistrarClientOptions = {
  /** https://HOST:PORT */
  url: string;
  transport: TransportOptions;
  /** Whose tokens are shown; undefined: a certificate says who we are. */
  identity: {token(signal: AbortSignal): Promise<string>; invalidate(token: string): void} | undefined;
};

type Named = Pick<Cell, 'name' | 'uuid'>;
type Place = {host: string; claim: Claim; bus: Bus | undefined};

/** An answer holds a few names. */
const answerLimit = 64 * 1024;

export class RegistrarClient {
  readonly #options: RegistrarClientOptions;
  readonly #base: string;
  readonly #transport: Transport;

  /** `config` when the URL or a file cannot be used; nothing is asked yet. */
  constructor(options: RegistrarClientOptions) {
    this.#options = options;
    this.#base = baseOf(options.url);
    this.#transport = new Transport(options.transport);
  }

  /** The cell the host would be mapped to. Nothing is written. The registrar's errors come as they were thrown there. */
  async findCell(place: Place, signal: AbortSignal): Promise<Named> {
    const {cell} = await this.#ask('POST', '/v1/cell', wire.cellAnswer, signal, asked(place));
    return agreed(place.claim, cell);
  }

  /** Maps the host. Idempotent. */
  async map(
    place: Place & {node: string; uuid: string},
    to: Named,
    signal: AbortSignal,
  ): Promise<'created' | 'existing'> {
    const {node, uuid} = place;
    const body = {...asked(place), cell: to.uuid, node, uuid};
    const answer = await this.#ask('POST', '/v1/hosts', wire.hostAnswer, signal, body);
    if (answer.uuid === uuid && answer.cell.uuid === to.uuid) return answer.mapped;
    throw new CellarError('unavailable', `the registrar speaks of ${nameOf(answer.cell)} and not of ${nameOf(to)}`);
  }

  /** The cell the host is mapped to, or undefined. */
  async mappingOf(host: string, signal: AbortSignal): Promise<Named | undefined> {
    const path = `/v1/hosts/${encodeURIComponent(host)}`;
    return (await this.#ask('GET', path, wire.mappingAnswer, signal)).cell ?? undefined;
  }

  close(): void {
    this.#transport.close();
  }

  /** A token that is refused is renewed once: Keystone may have revoked it. */
  async #ask<Schema extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    schema: Schema,
    signal: AbortSignal,
    json?: object,
  ): Promise<z.output<Schema>> {
    const {identity} = this.#options;
    const url = `${this.#base}${path}`;
    for (let again = false; ; again = true) {
      const token = await identity?.token(signal);
      const call = {method, url, signal, headers: {'X-Auth-Token': token}, ...(json !== undefined && {json})};
      const answer = await this.#exchange(call);
      if (answer.status === 401 && token !== undefined && !again) identity?.invalidate(token);
      else return this.#read(answer, schema);
    }
  }

  async #exchange(call: Parameters<typeof exchangeText>[1]): Promise<TextAnswer> {
    try {
      return await exchangeText(this.#transport, call, answerLimit);
    } catch (thrown) {
      const {kind, message, hint} = asCellarError(thrown);
      throw new CellarError(kind, `the registrar at ${showUrl(this.#base)}: ${message}`, {
        ...(hint !== undefined && {hint}),
        cause: thrown,
      });
    }
  }

  #read<Schema extends z.ZodType>({status, statusLine, text}: TextAnswer, schema: Schema): z.output<Schema> {
    const value = parseJson(text);
    const answer = schema.safeParse(value);
    if (status === 200 && answer.success) return answer.data;
    const error = errorAnswer.safeParse(value);
    if (error.success) throw readError(error.data.error);
    throw new CellarError('unavailable', `what answers at ${showUrl(this.#base)} is no registrar: ${statusLine}`, {
      hint: 'check [registrar] url',
    });
  }
}

const asked = ({host, claim, bus}: Place) => ({
  host,
  cell: claim.uuid ?? claim.name ?? null,
  bus: bus === undefined ? null : {servers: bus.servers, virtualHost: bus.virtualHost},
});

/** A claim of both a name and a uuid: the registrar is asked by one of them. */
function agreed(claim: Claim, cell: Named): Named {
  if (fits(claim, cell)) return cell;
  throw new CellarError('conflict', `[cell] says ${told(claim)}, the registrar says ${nameOf(cell)}`, {
    hint: 'correct [cell]: nothing was mapped',
  });
}

function baseOf(text: string): string {
  const url = URL.parse(text);
  const good = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (!good) {
    throw new CellarError('config', '[registrar] url is not an http(s) URL without a login', {
      hint: 'set it to https://HOST:PORT',
    });
  }
  if (url.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw new CellarError('config', '[registrar] url is of http: the token would travel in the clear', {
      hint: 'set it to https://HOST:PORT',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
