import type { Clock } from "../../core/time/clock.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { Caller } from "../request/caller.ts";
import { type Failure, invalidRequest } from "../request/failure.ts";
import type { Request } from "../request/request.ts";
import { digestOf } from "./digest.ts";
import type { IdempotencyOptions } from "./idempotency-options.ts";
import { KeyedCall, type KeyedCallOwner, type KeyedRequest } from "./keyed-call.ts";

const evictEvent = telemetryEvent("idempotency.evict");

/** The calls of a gateway that have an idempotency key. Read and changed directly, by the requests themselves. */
export class KeyedCalls implements KeyedCallOwner {
  readonly #gateway: string;
  readonly #clock: Clock;
  readonly #options: Required<IdempotencyOptions>;
  /** Those that have not settled. */
  readonly #running = new Map<string, KeyedCall>();
  /** Those that have, the first to do so first. */
  readonly #settled = new Map<string, KeyedCall>();
  #bytes = 0;
  #timer: unknown;

  constructor(gateway: string, clock: Clock, options: Required<IdempotencyOptions>) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#options = options;
  }

  /** Keys of calls that run, or whose Response is kept. */
  get size(): number {
    return this.#running.size + this.#settled.size;
  }

  /** Keys of calls that run. */
  get running(): number {
    return this.#running.size;
  }

  /** Keys of calls that have ended. */
  get kept(): number {
    return this.#settled.size;
  }

  /** Memory of what is kept, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The call of a request's key: the request's own, if there was none.
   * @param key the request's `idempotencyKey`
   */
  claim(
    request: KeyedRequest,
    { service, requestType, args, version }: Request,
    key: string,
    caller: Caller,
  ): KeyedCall | Failure {
    const name = JSON.stringify([scopeOf(caller), service, requestType, key]);
    const digest = digestOf(args);
    return this.find(name, digest, version) ?? this.#open(name, digest, version, request);
  }

  /**
   * The call of a key; the fault of a request that means another call.
   * @param name the `key` of a {@link KeyedCall}
   * @returns null if there is none
   */
  find(name: string, digest: string, version: string | null): KeyedCall | Failure | null {
    this.#dropExpired();
    const known = this.#running.get(name) ?? this.#settled.get(name);
    if (known === undefined) return null;
    if (known.digest !== digest) return invalidRequest("idempotency_key was used with other arguments");
    if (known.version !== version) return invalidRequest("idempotency_key was used with another version");
    return known;
  }

  /** Every call that is known. */
  *all(): Generator<KeyedCall> {
    yield* this.#running.values();
    yield* this.#settled.values();
  }

  /** As {@link claim}, after the call that was known had executed nothing. */
  claimAgain(request: KeyedRequest, { key, digest, version }: KeyedCall): KeyedCall {
    return this.#running.get(key) ?? this.#settled.get(key) ?? this.#open(key, digest, version, request);
  }

  #open(key: string, digest: string, version: string | null, request: KeyedRequest): KeyedCall {
    const call = new KeyedCall(key, digest, version, request, this);
    this.#running.set(key, call);
    return call;
  }

  /** The gateway has stopped. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#settled.clear();
    this.#bytes = 0;
  }

  startOrphanTimer(run: () => void): unknown {
    return this.#clock.setTimeout(run, this.#options.orphanMs);
  }

  stopTimer(timer: unknown): void {
    if (timer !== undefined) this.#clock.clearTimeout(timer);
  }

  onRefused(call: KeyedCall): void {
    this.#running.delete(call.key);
  }

  onSettled(call: KeyedCall): void {
    this.#running.delete(call.key);
    call.settledAt = this.#clock.now();
    this.#settled.set(call.key, call);
    this.#bytes += call.weight;
    const { maxEntries, maxBytes } = this.#options;
    let evicted = 0;
    for (const oldest of this.#settled.values()) {
      if (this.size <= maxEntries && this.#bytes <= maxBytes) break;
      this.#drop(oldest);
      evicted++;
    }
    if (evicted > 0 && evictEvent.active) {
      evictEvent.emit({ count: evicted, held_bytes: this.#bytes }, { gateway: this.#gateway });
    }
    this.#watch();
  }

  #drop(call: KeyedCall): void {
    this.#settled.delete(call.key);
    this.#bytes -= call.weight;
  }

  #dropExpired(): void {
    const until = this.#clock.now() - this.#options.keepMs;
    for (const call of this.#settled.values()) {
      if (call.settledAt > until) return;
      this.#drop(call);
    }
  }

  /** One timer for all: it runs until the oldest may have expired. */
  #watch(): void {
    if (this.#timer !== undefined || this.#settled.size === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#dropExpired();
      this.#watch();
    }, this.#options.keepMs);
  }
}

/** Whose keys they are: a user's, or those of one anonymous connection. */
function scopeOf({ userId, share }: Caller): string {
  return userId === null ? `connection ${share.connection}` : `user ${userId}`;
}
