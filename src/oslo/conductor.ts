/** A cell's conductors: class actions and object actions of Nova's versioned objects. */
import {asCellarError, CellarError} from '../core/errors.ts';
import type {RequestContext} from './context.ts';
import {type Draft, isRecord, type ObjectClass} from './objects.ts';
import {isRemote} from './remote-error.ts';
import {EpochEnded, type RpcClient} from './rpc.ts';
import {type Agreed, classesOf, sealed} from './sealed.ts';
import {offeredVersion, Versions} from './versions.ts';

export type ActionOptions = {
  signal: AbortSignal;
  /** Milliseconds for all of it, negotiation included. Default: the client's. */
  timeoutMs?: number;
  context?: RequestContext;
  /** To do it twice is no worse than once. Default: class actions whose name begins with get_ are, all else is not. */
  idempotent?: boolean;
  kwargs?: Record<string, unknown>;
};

export type ActionResult = {
  /** Fields that the action changed. */
  updates: Record<string, unknown>;
  result: unknown;
};

/** Options whose time is counted from the beginning of the action. */
type Timed = () => ActionOptions & {timeoutMs: number};

export class Conductor {
  readonly #rpc: RpcClient;
  readonly #versions: Versions;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(rpc: RpcClient, now: () => number = () => performance.now()) {
    this.#rpc = rpc;
    this.#versions = new Versions(now);
  }

  /** Does a conductor answer? Fails like `RpcClient.call`. */
  async ping(signal: AbortSignal, timeoutMs = 10_000): Promise<void> {
    const call = {...conductor, namespace: 'baseapi', version: '1.0', method: 'ping', args: {arg: 'cellar'}};
    const answer = await this.#rpc.call({...call, signal, timeoutMs, idempotent: true});
    if (isRecord(answer) && answer['service'] === 'conductor') return;
    throw new CellarError('unavailable', "RPC ping to conductor: the answer is not a conductor's");
  }

  /**
   * A remotable class method: the primitive of what it returns, in the highest version that both sides know, or a plain
   * value. Fails like `RpcClient.call`.
   */
  async classAction(of: ObjectClass, method: string, args: unknown[], options: ActionOptions): Promise<unknown> {
    const timed = this.#timed({...options, idempotent: options.idempotent ?? method.startsWith('get_')});
    for (let translated = false; ; ) {
      const epoch = await this.#epoch(of, timed);
      const manifest = this.#versions.manifest(of);
      try {
        const answer = await this.#classCall(of, method, args, manifest, timed());
        // An answer after a reconnection may be of before it.
        if (epoch === this.#rpc.epoch) this.#agree(of, manifest, epoch);
        return answer;
      } catch (error) {
        if (this.#lowered(error, of, manifest)) continue;
        // A part of the answer was to be translated to a version above the conductor's.
        if (translated || !isRemote(error, 'InvalidTargetVersion')) throw error;
        translated = true;
        await this.#negotiate(of, timed);
      }
    }
  }

  /**
   * A remotable method of an object: create, save, destroy. The object goes out in a version that the conductors of this
   * connection have agreed to; they are asked first where that is not known. On a lost connection or without an answer
   * it may or may not have been done, and the error says so.
   */
  async action(object: Draft, method: string, args: unknown[], options: ActionOptions): Promise<ActionResult> {
    const timed = this.#timed(options);
    for (;;) {
      const agreed = await this.#negotiate(object.of, timed);
      const {kwargs = {}, ...rest} = timed();
      try {
        const answer = await this.#rpc.call({
          ...conductor,
          ...rest,
          method: 'object_action',
          what: `${object.of.name}.${method}`,
          args: {objinst: sealed(object, agreed), objmethod: method, args, kwargs},
        });
        if (Array.isArray(answer) && isRecord(answer[0])) return {updates: answer[0], result: answer[1] ?? null};
      } catch (error) {
        if (error instanceof EpochEnded && (!error.sent || options.idempotent)) continue;
        throw error;
      }
      throw new CellarError('unavailable', `RPC ${object.of.name}.${method}: the answer is not a conductor's`);
    }
  }

  /** The version of the class that conductors of the connection that stands have agreed to. */
  agreedVersion(of: ObjectClass): string | undefined {
    return this.#versions.agreed(of, this.#rpc.epoch);
  }

  /** Versions of the class and its parts, all agreed on over one connection. */
  async #negotiate(of: ObjectClass, timed: Timed): Promise<Agreed> {
    for (;;) {
      const epoch = await this.#epoch(of, timed);
      const agreed = this.#versions.all(of, epoch);
      if (agreed) return agreed;
      try {
        for (const one of classesOf(of)) {
          if (this.#versions.agreed(one, epoch) === undefined) await this.#ask(one, epoch, timed);
        }
      } catch (error) {
        if (!(error instanceof EpochEnded)) throw error;
      }
    }
  }

  /**
   * Asks a conductor whether it knows our version of the class, by a class method that every class has and that does
   * nothing: the version is checked before the method is looked up.
   */
  async #ask(of: ObjectClass, epoch: number, timed: Timed): Promise<void> {
    for (;;) {
      const manifest = {[of.name]: this.#versions.wanted(of)};
      try {
        await this.#classCall(of, '_obj_primitive_key', [], manifest, {
          ...timed(),
          kwargs: {},
          idempotent: true,
          epoch,
        });
        return this.#agree(of, manifest, epoch);
      } catch (error) {
        if (!this.#lowered(error, of, manifest)) throw error;
      }
    }
  }

  async #classCall(
    {name}: ObjectClass,
    method: string,
    args: unknown[],
    manifest: Record<string, string>,
    options: ActionOptions & {epoch?: number},
  ): Promise<unknown> {
    const {kwargs = {}, ...rest} = options;
    return this.#rpc.call({
      ...conductor,
      ...rest,
      method: 'object_class_action_versions',
      what: `${name}.${method}`,
      args: {objname: name, objmethod: method, object_versions: manifest, args, kwargs},
    });
  }

  #agree({name}: ObjectClass, manifest: Record<string, string>, epoch: number): void {
    this.#versions.agree(name, manifest[name] as string, epoch);
  }

  /** Did the conductor offer a lower version? Then it is the one to ask for from now on. */
  #lowered(error: unknown, {name}: ObjectClass, manifest: Record<string, string>): boolean {
    const offered = offeredVersion(error, name, manifest[name] as string);
    if (offered !== undefined) this.#versions.lower(name, offered);
    return offered !== undefined;
  }

  /** The number of the connection, as soon as there is one. */
  async #epoch({name}: ObjectClass, timed: Timed): Promise<number> {
    if (this.#rpc.epoch !== undefined) return this.#rpc.epoch;
    const {signal, timeoutMs} = timed();
    try {
      return await this.#rpc.connected(AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeoutMs))]));
    } catch (error) {
      const {kind, message, hint} = asCellarError(error);
      throw new CellarError(kind, `${name}: ${message}`, {cause: error, ...(hint === undefined ? {} : {hint})});
    }
  }

  #timed(options: ActionOptions): Timed {
    const end = performance.now() + (options.timeoutMs ?? this.#rpc.timeoutMs);
    return () => ({...options, timeoutMs: Math.max(1, end - performance.now())});
  }
}

const conductor = {topic: 'conductor', version: '3.0'};
