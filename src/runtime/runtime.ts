import type { IncomingMessage, ServerResponse } from "node:http";
import type { Closed } from "../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../actor/inspection.ts";
import type { TreeNode } from "../actor/tree-node.ts";
import type { HostCallOptions, HostRequest } from "../call/host-calls.ts";
import type { Response } from "../call/response.ts";
import type { PushedService } from "../config/config-pusher.ts";
import type { PushedServiceStatus } from "../config/function-sets.ts";
import type { PushOutcome } from "../config/push.ts";
import type { AdminListen } from "../diagnostics/admin-server.ts";
import type { CacheStatus } from "../diagnostics/cache-status.ts";
import type { CallFlow, CallFlowSummary } from "../diagnostics/call-flow.ts";
import type { ClusterView } from "../diagnostics/cluster-view.ts";
import type { Health } from "../diagnostics/health.ts";
import type { InspectedRequest, RequestInspection } from "../diagnostics/inspect-request.ts";
import type { Statistics } from "../diagnostics/statistics.ts";
import type { RateLimit } from "../policy/rate-limit.ts";
import type { RateLimitStatus } from "../policy/rate-limiter.ts";
import type { RateLimiterApi } from "../policy/rate-limiter-api.ts";
import type { RateLimiterConfig } from "../policy/rate-limiter-options.ts";
import type { ListenAddress } from "../socket/http-server.ts";
import type { Telemetry } from "../telemetry/telemetry-api.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { ConfigCache } from "./config-cache.ts";
import type { Nodes } from "./nodes.ts";

/** A service's functions, pushed in the name of a node. */
export interface HostPush extends PushedService {
  /** The node that runs them. */
  readonly node: string;
}

/** A running gateway. */
export interface Runtime extends AsyncDisposable {
  /** The gateway's name, as telemetry and nodes know it. */
  readonly name: string;
  /** Where clients connect; undefined while it does not listen. */
  readonly address: ListenAddress | undefined;
  /** Where the admin listener listens; undefined without one. */
  readonly adminAddress: AdminListen | undefined;
  /** Listens to every gateway and service node of this process: the same as the package's `telemetry`. */
  readonly telemetry: Telemetry;
  /** The functions that it knows. */
  readonly configCache: ConfigCache;
  /** Limits, their counts, and how to change them. */
  readonly rateLimiter: RateLimiterApi;
  /** The service nodes that are, or were, connected to it. */
  readonly nodes: Nodes;
  /** Always resolves: `{reason: "stopped"}`, or with the error that ended the tree. */
  readonly closed: Promise<Closed>;
  /**
   * Calls a function as a client would, through the same pipeline.
   * @returns its result
   * @throws GenApiError with the code of the failed Response
   */
  call<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Result>;
  /** Calls a function. @returns the Response as a client would get it; never rejects */
  request<Result = unknown>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>>;
  /**
   * The chunks of a stream function, as fast as they are taken; leaving the loop ends the stream.
   * @throws GenApiError as {@link call}
   */
  stream<Chunk = unknown>(request: HostRequest, options?: HostCallOptions): AsyncGenerator<Chunk, void, void>;
  /** Closes (1001) every connection whose `connect` gave it this `id`. @returns how many */
  disconnect(id: string): number;
  /**
   * Pushes functions in the name of a service node, as the node itself would: they run there, and go when the node
   * pushes without them or has come and gone.
   * @param options `force` pushes though the gateway has this version already
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `push_config`; `noproc` without
   * `cluster`; `invalid_request` for a push that is too large
   */
  pushConfig(push: HostPush, options?: { readonly force?: boolean }): Promise<PushOutcome>;
  /**
   * Whether clients are told the message behind an `internal` error, from now on.
   * @throws GenApiError `permission_denied` unless the option `adminActions` lists `change_detail_error`
   */
  setDetailError(detailError: boolean): void;
  /** How much a user has used of each limit by `userId`. */
  rlStatus(userId: string): RateLimitStatus[];
  /** The global limits; given some, replaces them first: those that stay keep their counts. */
  rlGlobal(limits?: readonly RateLimit[]): Promise<readonly RateLimit[]>;
  /** The rate limiter's whole configuration. */
  rlConfig(): RateLimiterConfig;
  /** Whether all is well, and what is not. Asks nothing of anybody: cheap enough for every second. */
  health(): Health;
  /** What it has done since it started, and does now. */
  statistics(): Statistics;
  /**
   * The way of a function's requests, stage by stage, as it is configured.
   * @param version null: the one that requests without a version get
   */
  callFlow(service: string, requestType: string, version?: string | null): CallFlow | "not_found";
  /** Every function, or those of one service, in a line each. */
  listCallFlows(service?: string): CallFlowSummary[];
  /**
   * A dry run: what would happen to this request now, stage by stage. Runs no function, hook, callback or resolver,
   * counts nothing by any limit and takes no turn of a node.
   */
  inspectRequest(request: InspectedRequest): RequestInspection;
  /** Nodes, services, and which of them have which. */
  clusterView(): ClusterView;
  /** How many functions are registered, of whom, and what was refused. */
  cacheStatus(): CacheStatus;
  /** The worker pools: of sync, async and none calls, and of streams. */
  poolStatus(): readonly WorkerPoolStatus[];
  /** What each node has pushed. */
  pushedServicesStatus(): readonly PushedServiceStatus[];
  /**
   * Answers `GET /healthz` and `GET /readyz` on a host's own server: call it first in its request listener. A server of
   * the gateway's own answers them by itself.
   * @returns false when the request is for neither; it was left alone then
   */
  handleProbe(this: void, request: IncomingMessage, response: ServerResponse): boolean;
  /** The supervision tree as it is now. */
  tree(): TreeNode;
  /**
   * Lets an XState inspection observer watch every actor: first those that live, then all that happens.
   *
   * @returns how to detach it
   * @throws GenApiError `invalid_option`
   */
  inspect(inspection: InspectionObserver | Inspection): () => void;
  /**
   * Lets nobody in any more, waits up to `drainMs` (default 0) for running calls, answers the others `unavailable`,
   * closes the connections (1012) and stops the tree in reverse order of its start. Stopping again waits for the same end.
   */
  stop(options?: { readonly drainMs?: number }): Promise<Closed>;
}
