import type { RequestTotals } from "../call/request-counts.ts";
import type { RateLimiterStatistics } from "../policy/rate-limiter.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { EventLoopStatistics } from "./event-loop.ts";

/** What a gateway has done since it started, and does now. */
export interface Statistics {
  /** The gateway's name. */
  readonly gateway: string;
  /** When it started, milliseconds since 1970. */
  readonly startedAt: number;
  /** How long ago that is, milliseconds. */
  readonly uptimeMs: number;
  /** Requests of clients and of the host program. */
  readonly requests: RequestTotals & {
    /** Those that were answered, streams when they ended. */
    readonly total: number;
    /** Requests and streams that wait for something now. */
    readonly inFlight: number;
  };
  /** Streams that run now, and all that were started. */
  readonly streams: { readonly open: number; readonly started: number };
  /** Clients' sockets that are open now, and all that were opened. */
  readonly connections: { readonly open: number; readonly opened: number };
  /** What the rate limiter holds. */
  readonly rateLimiter: RateLimiterStatistics;
  /** What the worker pools do. */
  readonly pools: readonly WorkerPoolStatus[];
  /** How many service nodes are in which state. */
  readonly nodes: { readonly up: number; readonly leaving: number; readonly down: number };
  /** Registered functions, versions counted one by one. */
  readonly functions: number;
  /** How often actors of the tree, as it is now, were started again. */
  readonly restarts: number;
  /** How the event loop of the gateway's thread has fared. */
  readonly eventLoop: EventLoopStatistics;
  /** Of the whole process, bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

/** All requests that were answered. */
export function totalOf({ succeeded, failed }: RequestTotals): number {
  return Object.values(failed).reduce((sum, count) => sum + count, succeeded);
}
