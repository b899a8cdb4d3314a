import type { RequestTotals } from "../call/request-counts.ts";
import type { RateLimiterStatistics } from "../policy/rate-limiter.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { EventLoopStatistics } from "./event-loop.ts";

/** What a gateway has done since it started, and does now. */
export interface Statistics {
  readonly gateway: string;
  /** When it started, milliseconds since 1970. */
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly requests: RequestTotals & {
    /** Those that were answered, streams when they ended. */
    readonly total: number;
    /** Requests and streams that wait for something now. */
    readonly inFlight: number;
  };
  readonly streams: { readonly open: number; readonly started: number };
  readonly connections: { readonly open: number; readonly opened: number };
  readonly rateLimiter: RateLimiterStatistics;
  readonly pools: readonly WorkerPoolStatus[];
  readonly nodes: { readonly up: number; readonly leaving: number; readonly down: number };
  /** Registered functions, versions counted one by one. */
  readonly functions: number;
  /** How often actors of the tree, as it is now, were started again. */
  readonly restarts: number;
  readonly eventLoop: EventLoopStatistics;
  /** Of the whole process, bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

/** All requests that were answered. */
export function totalOf({ succeeded, failed }: RequestTotals): number {
  return Object.values(failed).reduce((sum, count) => sum + count, succeeded);
}
