import type { RequestTotals } from "../call/request/request-counts.ts";
import type { RateLimiterStatistics } from "../policy/rate-limiter/rate-limiter.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { EventLoopStatistics } from "./event-loop.ts";

/** How reloads of services ended. */
export interface ReloadTotals {
  /** Those that took effect. */
  readonly succeeded: number;
  /** Those that changed nothing. */
  readonly failed: number;
}

/** Pushes and broadcasts since the gateway started. */
export interface PushTotals {
  /** Those that were taken. */
  readonly accepted: number;
  /** Those that were refused, because too much waited to be sent. */
  readonly refused: number;
  /** The messages to clients that they became. */
  readonly deliveries: number;
  /** Those that are not sent to everybody yet, and the bytes of memory that they hold. */
  readonly waiting: { readonly count: number; readonly bytes: number };
}

/** Totals of a gateway since it started, and current values. */
export interface Statistics {
  /** The gateway's name. */
  readonly gateway: string;
  /** When it started, milliseconds since 1970. */
  readonly startedAt: number;
  /** Time since then, milliseconds. */
  readonly uptimeMs: number;
  /** Requests of clients and of the host program. */
  readonly requests: RequestTotals & {
    /** Answered requests; a stream counts when it ends. */
    readonly total: number;
    /** Requests and streams in progress. */
    readonly inFlight: number;
  };
  /** Streams. */
  readonly streams: {
    /** Those that run. */
    readonly open: number;
    /** All that were started. */
    readonly started: number;
    /** Those that run, and whose client is gone and may resume them. */
    readonly detached: number;
    /** Memory of the Responses that clients may ask for again, bytes. */
    readonly keptBytes: number;
  };
  /** Calls with an idempotency key. */
  readonly idempotency: {
    /** Keys of calls that run. */
    readonly running: number;
    /** Keys of calls that have ended, and whose repetition would be known. */
    readonly kept: number;
    /** Memory of what is kept of them, bytes. */
    readonly keptBytes: number;
  };
  /** Open client sockets, and all that were opened. */
  readonly connections: { readonly open: number; readonly opened: number };
  /** The state of the rate limiter. */
  readonly rateLimiter: RateLimiterStatistics;
  /** The state of the worker pools. */
  readonly pools: readonly WorkerPoolStatus[];
  /** Service nodes by state. */
  readonly nodes: { readonly up: number; readonly leaving: number; readonly down: number };
  /** Registered functions; each version counts. */
  readonly functions: number;
  /** Pushes and broadcasts of the host. */
  readonly pushes: PushTotals;
  /** Reloads of services since the gateway started. */
  readonly reloads: ReloadTotals;
  /** Restarts of the actors that are now in the tree. */
  readonly restarts: number;
  /** The state of the event loop on the gateway's thread. */
  readonly eventLoop: EventLoopStatistics;
  /** Memory of the whole process, bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

/** All answered requests. */
export function totalOf({ succeeded, failed }: RequestTotals): number {
  return Object.values(failed).reduce((sum, count) => sum + count, succeeded);
}
