import type { ConfigStore } from "../config/config-store.ts";
import type { Clock } from "../core/clock.ts";
import type { Deadlines } from "../core/deadlines.ts";
import type { NodeSelector } from "../policy/node-selector.ts";
import type { RateLimitedRequest } from "../policy/rate-limit.ts";
import type { RateLimitDecision } from "../policy/rate-limit-decision.ts";
import type { Executor } from "./attempt.ts";
import type { CompiledFunction } from "./compile-function.ts";
import type { RequestCounts } from "./request-counts.ts";
import type { ConnectedNodes } from "./route.ts";
import type { RunningCalls } from "./running-calls.ts";
import type { StreamCall, StreamExecutor } from "./stream-call.ts";

/** What the pipeline needs of the gateway. */
export interface PipelineSources {
  readonly gateway: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A number in [0, 1), as `Math.random` returns it. */
  readonly random: () => number;
  /** Every call that waits for something, whoever sent it. */
  readonly running: RunningCalls;
  /** How they ended. */
  readonly counts: RequestCounts;
  readonly functions: ConfigStore<CompiledFunction>;
  /** Whether a service's functions are still to come: asked only where a function was not found. */
  isExpected(service: string): boolean;
  /** Compiles what a before hook changed. @throws GenApiError `invalid_config` */
  compile(config: unknown): Promise<CompiledFunction>;
  readonly rateLimiter: RateLimits;
  readonly nodes: ConnectedNodes;
  readonly nodeSelector: NodeSelector;
  readonly executors: {
    readonly main: Executor;
    readonly worker: Executor;
    readonly mainStreams: StreamExecutor;
    readonly workerStreams: StreamExecutor;
  };
  /** Starts a stream as an actor of its own; one that cannot be started fails as `unavailable`. */
  startStream(stream: StreamCall): void;
  /** How long a client that reads nothing keeps its stream, milliseconds. */
  readonly streamStallTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  readonly detailError: () => boolean;
}

/** Decides whether a request may come now, and counts it. */
interface RateLimits {
  check(request: RateLimitedRequest): RateLimitDecision;
}
