import type { HostRequest } from "../call/host/host-calls.ts";
import type { PushedServiceStatus } from "../sync/sets/function-sets.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { CacheStatus } from "./cache-status.ts";
import type { CallFlow, CallFlowSummary } from "./call-flow.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { Health } from "./health.ts";
import type { RequestInspection } from "./inspect-request.ts";
import type { Statistics } from "./statistics.ts";

/** Views of a gateway; they change nothing. No method asks an actor, so each is cheap enough to call once a second. */
export interface Diagnostics {
  /** Whether the gateway is well, and if not, what is wrong. */
  health(): Health;
  /** Totals since the start, and current values. */
  statistics(): Statistics;
  /**
   * The path of a function's requests, stage by stage, as configured.
   * @param version null: the version that requests without one get
   */
  flow(service: string, requestType: string, version?: string | null): CallFlow | "not_found";
  /** A one-line summary of every function, or of those of one service. */
  flows(service?: string): CallFlowSummary[];
  /**
   * A dry run: what would happen to this request now, stage by stage. Runs no function, hook, callback or resolver,
   * counts towards no limit and takes no node's turn.
   */
  inspectRequest(request: HostRequest): RequestInspection;
  /** Nodes and services, and which node has which service. */
  cluster(): ClusterView;
  /** How many functions are registered, by whom, and how many were refused. */
  functions(): CacheStatus;
  /** The worker pools: one for sync, async and none calls, one for streams. */
  pools(): readonly WorkerPoolStatus[];
  /** What each node pushed. */
  pushedServices(): readonly PushedServiceStatus[];
}
