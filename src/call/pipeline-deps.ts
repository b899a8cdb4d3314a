import type { FunctionTable } from "../config/function-table.ts";
import type { Clock } from "../core/time/clock.ts";
import type { Deadlines } from "../core/time/deadlines.ts";
import type { RateLimitedRequest } from "../policy/rate-limiter/rate-limit.ts";
import type { RateLimitDecision } from "../policy/rate-limiter/rate-limit-decision.ts";
import type { NodeSelector } from "../policy/selection/node-selector.ts";
import type { Across } from "./across/across.ts";
import type { Executor } from "./attempt.ts";
import type { CompiledFunction } from "./functions/compile-function.ts";
import type { KeyedCalls } from "./idempotency/keyed-calls.ts";
import type { NestedDeps } from "./nested/nested-calls.ts";
import type { RequestCounts } from "./request/request-counts.ts";
import type { RunningCalls } from "./request/running-calls.ts";
import type { ResumableStreams } from "./resume/resumable-streams.ts";
import type { ConnectedNodes } from "./route.ts";
import type { StreamCall, StreamExecutor } from "./stream-call.ts";

/** The parts of the gateway that the pipeline needs. */
export interface PipelineDeps {
  readonly gateway: string;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A number in [0, 1), as `Math.random` returns it. */
  readonly random: () => number;
  /** Every call that waits for something, whoever sent it. */
  readonly running: RunningCalls;
  /** How they ended. */
  readonly counts: RequestCounts;
  readonly functionTable: FunctionTable<CompiledFunction>;
  /** Whether a function of the service may exist nevertheless; called only if it was not found. */
  mayHave(service: string): boolean;
  /**
   * Compiles a FunConfig that a before hook changed.
   * @throws GenApiError `invalid_config`
   */
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
  /** For functions that call functions. */
  readonly nested: NestedDeps;
  /** Starts a stream as an actor of its own; if it cannot be started, it fails with `unavailable`. */
  startStream(stream: StreamCall): void;
  readonly resumable: ResumableStreams;
  readonly keyedCalls: KeyedCalls;
  /** The other gateways; null if it does not reach them. */
  readonly across: Across | null;
  /** How long a client that reads nothing keeps its stream, milliseconds. */
  readonly streamStallTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  readonly detailError: () => boolean;
}

/** Decides whether a request is within the limits, and counts it. */
interface RateLimits {
  /** Whether requests of functions are counted too. */
  readonly countsNested: boolean;
  check(request: RateLimitedRequest): RateLimitDecision;
}
