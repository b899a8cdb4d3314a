import type { ResourceLimits } from "node:worker_threads";
import type { Clock } from "../core/clock.ts";
import type { GenApiError } from "../core/errors.ts";

/** What a worker pool can be told. */
export interface WorkerPoolOptions {
  /** The name of the gateway or service node whose pool it is, for telemetry. */
  readonly program: string;
  /** What telemetry calls it: `async_pool`, `stream_pool`. */
  readonly name: string;
  readonly clock: Clock;
  readonly threads: number;
  /** The most calls that threads have at a time. */
  readonly maxInFlight: number;
  /** The most calls that wait beyond that; more are answered `unavailable`. */
  readonly maxQueueSize: number;
  /** How many failures of a function in a row open its circuit. */
  readonly circuitBreakerThreshold: number;
  /** How long an open circuit refuses calls before its trial. */
  readonly circuitBreakerCooldownMs: number;
  /**
   * How long the event loop of a thread may stand still, once a caller of one of its calls has given up, before the
   * thread is terminated. At least 1 000, or busy machines lose threads whose functions would have heard their signal.
   */
  readonly wedgeGraceMs: number;
  /** How often threads that have calls are asked whether their event loop still turns. */
  readonly pingIntervalMs: number;
  /** How long a thread has to start. */
  readonly startTimeoutMs: number;
  /** How long verifying a function waits for a module's import. */
  readonly loadTimeoutMs: number;
  /**
   * Modules that each thread imports in the background, so that no call has to wait for it. Only added to: see
   * `WorkerPool.preload`.
   */
  readonly modules: readonly string[];
  /** V8's limits for each thread; a thread that exceeds them is replaced. @default none */
  readonly resourceLimits?: ResourceLimits;
  /** The threads' file, for tests of what a broken one does. @default the package's own */
  readonly threadFile?: URL;
  /** The pool could not keep threads alive and has closed itself; its calls were answered `unavailable`. */
  onFailed(error: GenApiError): void;
}

/** The options that have a default. */
export const workerPoolDefaults = {
  maxInFlight: 1_000,
  maxQueueSize: 10_000,
  circuitBreakerThreshold: 10,
  circuitBreakerCooldownMs: 60_000,
  wedgeGraceMs: 1_000,
  pingIntervalMs: 1_000,
  startTimeoutMs: 10_000,
  loadTimeoutMs: 10_000,
  modules: [] as readonly string[],
} satisfies Partial<WorkerPoolOptions>;

/** What a pool does at the moment. */
export interface WorkerPoolStatus {
  /** "async_pool" or "stream_pool". */
  readonly name: string;
  /** "draining": it takes no more calls; "failed" and "closed": it has no threads, until it is started again. */
  readonly state: "running" | "draining" | "failed" | "closed";
  /** How many threads it is to have. */
  readonly threads: number;
  /** Threads whose loop runs. */
  readonly readyThreads: number;
  /** Calls that threads have, those among them whose callers gave up included. */
  readonly inFlight: number;
  /** Calls that wait for a place. */
  readonly queued: number;
  /** Calls that threads may have at most. */
  readonly maxInFlight: number;
  /** Calls that may wait at most. */
  readonly maxQueueSize: number;
  /** Functions whose calls are refused, or tried again, after failures. */
  readonly openCircuits: readonly OpenCircuit[];
}

/** A function whose circuit is open or half open. */
export interface OpenCircuit {
  /** The function's module. */
  readonly module: string;
  /** Its name in that module. */
  readonly function: string;
  /** Whether a call would be refused now. False from the end of the cooldown until a call comes: that is the trial. */
  readonly isRefusing: boolean;
}
