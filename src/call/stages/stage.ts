import type { Claims } from "../../core/request-info.ts";
import type { RateLimitedRequest, ScopedRateLimit } from "../../policy/rate-limiter/rate-limit.ts";
import type { RateLimitStatus } from "../../policy/rate-limiter/rate-limiter.ts";
import type { NodeSelector } from "../../policy/selection/node-selector.ts";
import type { WorkerPoolStatus } from "../../worker/worker-pool-options.ts";
import type { Call } from "../call.ts";
import type { FunctionPlaces } from "../find-function.ts";
import type { CompiledFunction } from "../functions/compile-function.ts";
import type { PipelineDeps } from "../pipeline-deps.ts";
import type { Failure } from "../request/failure.ts";
import type { Request } from "../request/request.ts";
import type { StageName, StageText } from "./stage-text.ts";

/** The result of a stage that has started asynchronous work; the stage lets the call proceed when that ends. */
export const waiting = Symbol("waiting");

/** A stage lets the call go on (undefined), keeps it waiting, or ends it with a failure. */
type StageResult = undefined | typeof waiting | Failure;

/** What a stage would do to a request. */
export interface Verdict extends StageText {
  /** Null: the request goes on. */
  readonly failure: Failure | null;
  /**
   * Whether a dry run cannot know, because something decides that it does not ask: a user function, a node, the calls
   * ahead.
   */
  readonly isUnknown?: boolean;
}

/** The sender of a request that is inspected. */
export interface InspectedIdentity {
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  readonly ipAddress: string | null;
  readonly claims: Claims;
}

/** What stages read to describe themselves. */
export interface FlowDeps {
  /** The limits that apply to the function. */
  readonly limits: readonly ScopedRateLimit[];
  /** The live ones of a service's nodes. */
  readonly live: (names: readonly string[]) => readonly string[];
}

/** What stages read to inspect a request; inspection changes none of it. */
export interface DryRunDeps extends FunctionPlaces {
  readonly rateLimiter: { peek(request: RateLimitedRequest): readonly RateLimitStatus[] };
  readonly nodeSelector: Pick<NodeSelector, "peek">;
  mayHave(service: string): boolean;
  isDraining(): boolean;
  /** The pool of sync, async and none calls, or the pool of streams. */
  pool(kind: "async" | "stream"): WorkerPoolStatus;
}

/** A request in a dry run, with the function found for it. */
interface InspectedRequest {
  readonly request: Request;
  readonly identity: InspectedIdentity;
  readonly compiled: CompiledFunction;
  readonly deps: DryRunDeps;
}

/** One stage of a request: what it runs, and how the call flow and the dry run show it. */
export interface Stage {
  readonly name: StageName;
  /**
   * Runs the stage, synchronously unless it really has to wait.
   * @param proceed takes a waiting call through the remaining stages, or again from the one of this name
   */
  run(
    call: Call,
    compiled: CompiledFunction,
    deps: PipelineDeps,
    proceed: (call: Call, deps: PipelineDeps, from?: StageName) => void,
  ): StageResult;
  /** The stage's configuration; null if requests of this function skip it. */
  describe(compiled: CompiledFunction, deps: FlowDeps): StageText | null;
  /** What the stage would do now; null if it would be skipped. Runs no user code and counts nothing. */
  inspect(inspected: InspectedRequest): Verdict | null;
}
