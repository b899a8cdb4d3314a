import { type GenApiError, isGenApiError, libraryError, messageOf } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import type { FunctionKind } from "../execution/function-kind.ts";
import type { FunctionPlace } from "../execution/load-function.ts";
import { errorOf, type ThrownData } from "../execution/thrown-data.ts";
import type { PoolFunction } from "./functions/pool-function.ts";
import type { PoolThread } from "./pool-thread.ts";
import { unimportable } from "./verification.ts";

/** Fresh threads of a pool, as their owner uses them: they take over, or are discarded. */
export interface PoolRenewal {
  /** Resolves when all of them run; rejects as {@link verify}. */
  readonly started: Promise<void>;
  /**
   * Loads a function on each of them.
   * @returns its kind
   * @throws GenApiError `module_unreadable` or `function_missing`
   */
  verify(place: FunctionPlace): Promise<FunctionKind>;
  /** @throws GenApiError why they may not take over, if so */
  mayTakeOver(): void;
  /**
   * New calls go to them.
   * @param modules what was reloaded: functions of these get new circuits
   */
  takeOver(modules: ReadonlySet<string>): void;
  /** Ends them. @param error for what they are still asked */
  discard(error: GenApiError): void;
}

/** A function that every fresh thread is to load. */
interface Loading {
  readonly called: PoolFunction;
  readonly kind: Promise<FunctionKind>;
  /** The threads that have not answered. */
  readonly awaited: Set<PoolThread>;
  resolve(kind: FunctionKind): void;
  reject(error: GenApiError): void;
}

/**
 * Threads that stand beside those of a pool and get no calls yet: they import anew what they will run. The first
 * failure is that of all.
 */
export class FreshThreads {
  readonly threads: readonly PoolThread[];
  /** Resolves when all threads run; rejects as {@link load}. */
  readonly started: Promise<void>;
  readonly #clock: Clock;
  readonly #loadTimeoutMs: number;
  readonly #starting: Set<PoolThread>;
  readonly #loading = new Map<number, Loading>();
  #allStarted!: () => void;
  #noStart!: (error: GenApiError) => void;
  #failure: GenApiError | null = null;
  #timer: unknown = null;

  /** @param loadTimeoutMs for how long there may be nothing new while functions are being loaded */
  constructor(threads: readonly PoolThread[], clock: Clock, loadTimeoutMs: number) {
    this.threads = threads;
    this.#clock = clock;
    this.#loadTimeoutMs = loadTimeoutMs;
    this.#starting = new Set(threads);
    this.started = new Promise((resolve, reject) => {
      this.#allStarted = resolve;
      this.#noStart = reject;
    });
    handled(this.started);
  }

  /** Why they cannot be used; null while nothing has failed. */
  get failure(): GenApiError | null {
    return this.#failure;
  }

  /**
   * Loads a function on each thread.
   * @returns its kind
   * @throws GenApiError `module_unreadable` or `function_missing`; the error of {@link end}
   */
  load(called: PoolFunction): Promise<FunctionKind> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const known = this.#loading.get(called.number);
    if (known !== undefined) return known.kind;
    let resolve!: Loading["resolve"];
    let reject!: Loading["reject"];
    const kind = new Promise<FunctionKind>((...settle) => {
      [resolve, reject] = settle;
    });
    handled(kind);
    this.#loading.set(called.number, { called, kind, awaited: new Set(this.threads), resolve, reject });
    for (const thread of this.threads) thread.load(called);
    this.#wait();
    return kind;
  }

  /** A thread runs. */
  ready(thread: PoolThread): void {
    this.#starting.delete(thread);
    this.#wait();
    if (this.#starting.size === 0) this.#allStarted();
  }

  /** A thread's answer about a function. */
  loaded(thread: PoolThread, called: PoolFunction, outcome: FunctionKind | ThrownData): void {
    const loading = this.#loading.get(called.number);
    if (loading?.awaited.delete(thread) !== true) return;
    if (typeof outcome === "string") {
      if (loading.awaited.size === 0) loading.resolve(outcome);
    } else {
      const error = errorOf(outcome);
      const { cause } = error;
      // A failed import concerns the host that asked, not a client.
      loading.reject(isGenApiError(cause) ? cause : error);
    }
    this.#wait();
  }

  /** A thread ended: what it was importing is the likeliest cause. */
  lost({ imports, preloads }: PoolThread, cause: Error): void {
    const [module] = [...imports.keys(), ...preloads.begunUntil()];
    this.end(
      module === undefined
        ? libraryError("unavailable", `A fresh thread ended: ${messageOf(cause)}`, { cause })
        : unimportable(module, "ended its thread when it was imported", cause),
    );
  }

  /** They will not be used: what was not answered fails with this. */
  end(error: GenApiError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#clock.clearTimeout(this.#timer);
    this.#noStart(error);
    for (const { reject } of this.#unanswered) reject(error);
  }

  get #unanswered(): Loading[] {
    return [...this.#loading.values()].filter(({ awaited }) => awaited.size > 0);
  }

  /** Whatever a thread does gives all more time: one may import a hundred modules. */
  #wait(): void {
    this.#clock.clearTimeout(this.#timer);
    const [first] = this.#unanswered;
    if (first === undefined || this.#failure !== null) return;
    const { module } = first.called;
    const cause = new Error("Given up: timeout");
    this.#timer = this.#clock.setTimeout(() => {
      this.end(unimportable(module, `took longer than ${this.#loadTimeoutMs} ms to be imported`, cause));
    }, this.#loadTimeoutMs);
  }
}

/** Whoever awaits it gets the rejection; there may be nobody. */
function handled(promise: Promise<unknown>): void {
  promise.catch(() => undefined);
}
