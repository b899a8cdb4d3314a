import type { ResourceLimits } from "node:worker_threads";
import type { GenApiError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";

/** The options of a worker pool. */
export interface PoolSettings {
  /** The name of its gateway or service node, for telemetry. */
  readonly program: string;
  /** Its name in telemetry: `async_pool`, `stream_pool`. */
  readonly name: string;
  readonly clock: Clock;
  readonly threads: number;
  /** The most calls on threads at a time. */
  readonly maxInFlight: number;
  /** The most calls that wait beyond that; further ones are answered `unavailable`. */
  readonly maxQueueSize: number;
  /** Consecutive failures of a function that open its circuit. */
  readonly circuitBreakerThreshold: number;
  /** How long an open circuit refuses calls before its trial. */
  readonly circuitBreakerCooldownMs: number;
  /**
   * How long the event loop of a thread may stand still, while no call waits for the thread's work, before the thread
   * is terminated. At least 1 000: otherwise busy machines lose threads whose functions would still have seen their
   * signal.
   */
  readonly wedgeGraceMs: number;
  /** How often threads with calls are pinged to see whether their event loop still turns. */
  readonly pingIntervalMs: number;
  /** Time limit for the start of a thread. */
  readonly startTimeoutMs: number;
  /** Time limit for the import of a module while a function is being verified. */
  readonly loadTimeoutMs: number;
  /**
   * Modules that each thread imports in the background, so that no call waits for them. The list only grows: see
   * `WorkerPool.preload`.
   */
  readonly modules: readonly string[];
  /**
   * Bytes per second that functions on a thread may write to `process.stdout`, and the same to `process.stderr`; at
   * least 1 024. The rest is dropped.
   */
  readonly maxOutputBytesPerSecond: number;
  /** V8's limits for each thread; a thread that exceeds them is replaced. @default none */
  readonly resourceLimits?: ResourceLimits;
  /** The threads' file, for tests with a broken one. @default the package's own */
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
  maxOutputBytesPerSecond: 1_048_576,
  modules: [] as readonly string[],
} satisfies Partial<PoolSettings>;

/** The current state of a pool. */
export interface WorkerPoolStatus {
  /** "async_pool" or "stream_pool". */
  readonly name: string;
  /** "draining": it accepts no more calls; "failed" and "closed": it has no threads until it is started again. */
  readonly state: "running" | "draining" | "failed" | "closed";
  /** The intended number of threads. */
  readonly threads: number;
  /** Threads whose loop runs. */
  readonly readyThreads: number;
  /** Threads of code that was reloaded since, on which calls or streams still run. */
  readonly oldThreads: number;
  /** Calls on threads, including those whose callers gave up. */
  readonly inFlight: number;
  /** Calls that wait for a place. */
  readonly queued: number;
  /** Calls on threads that functions of the pool's program have made; `inFlight` does not count them. */
  readonly nestedInFlight: number;
  /** Such calls that wait for a thread. */
  readonly nestedQueued: number;
  /** The most calls that threads may have. */
  readonly maxInFlight: number;
  /** The most calls that may wait. */
  readonly maxQueueSize: number;
  /** Functions whose circuit is open or half open after failures. */
  readonly openCircuits: readonly OpenCircuit[];
}

/** A function whose circuit is open or half open. */
export interface OpenCircuit {
  /** The URL of the function's module. */
  readonly module: string;
  /** The module's name in FunConfigs. */
  readonly moduleName: string;
  /** The function's name in it. */
  readonly function: string;
  /** Whether a call would be refused now. False from the end of the cooldown until a call comes as the trial. */
  readonly isRefusing: boolean;
}
