import type { RestartedActor } from "../actor/supervisor/tree-node.ts";
import type { CompiledFunction } from "../call/functions/compile-function.ts";
import type { HostRequest } from "../call/host/host-calls.ts";
import type { RequestCounts } from "../call/request/request-counts.ts";
import type { RunningCalls } from "../call/request/running-calls.ts";
import type { FunctionTable } from "../config/function-table.ts";
import { refuseArgument } from "../core/faults.ts";
import type { Clock } from "../core/time/clock.ts";
import type { NodeTable } from "../node/node-table.ts";
import type { RateLimiter } from "../policy/rate-limiter/rate-limiter.ts";
import type { NodeSelector } from "../policy/selection/node-selector.ts";
import type { ClusterReach } from "../sync/presence/cluster-reach.ts";
import type { ExpectedServices } from "../sync/presence/expected-services.ts";
import type { FailedConfigs } from "../sync/push/failed-configs.ts";
import type { PushedServiceStatus } from "../sync/sets/function-sets.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { type CacheStatus, cacheStatus } from "./cache-status.ts";
import { type CallFlow, type CallFlowSummary, callFlow, listCallFlows } from "./call-flow.ts";
import { type ClusterView, pushedBy, servicesOf } from "./cluster-view.ts";
import type { Diagnostics } from "./diagnostics.ts";
import { EventLoopMonitor } from "./event-loop.ts";
import { type Health, healthOf } from "./health.ts";
import { inspectRequest, type RequestInspection } from "./inspect-request.ts";
import { type Pools, poolStatus } from "./pool-status.ts";
import { type PushTotals, type ReloadTotals, type Statistics, totalOf } from "./statistics.ts";

/** The parts of its gateway that {@link GatewayDiagnostics} reads. */
export interface DiagnosticsDeps {
  readonly gateway: string;
  readonly clock: Clock;
  readonly functionTable: FunctionTable<CompiledFunction>;
  readonly rateLimiter: RateLimiter;
  readonly nodes: NodeTable;
  readonly nodeSelector: NodeSelector;
  readonly expected: ExpectedServices;
  readonly reach: ClusterReach;
  /** Whether a function that is not registered may exist nevertheless. */
  mayHave(service: string): boolean;
  readonly failedConfigs: FailedConfigs;
  readonly pools: Pools;
  readonly counts: RequestCounts;
  reloads(): ReloadTotals;
  pushes(): PushTotals;
  readonly running: RunningCalls;
  readonly connections: { readonly size: number; readonly opened: number };
  streams(): Statistics["streams"];
  idempotency(): Statistics["idempotency"];
  pushed(): readonly PushedServiceStatus[];
  /** Whether the actor tree is running. */
  isRunning(): boolean;
  restarted(): readonly RestartedActor[];
  /** Whether it should get no more clients. */
  isStopping(): boolean;
  /** Whether it refuses requests. */
  isDraining(): boolean;
  /** Null if it is configured not to listen. */
  isListening(): boolean | null;
}

/** The diagnostics of one gateway, from its parts. */
export class GatewayDiagnostics implements Diagnostics {
  readonly #deps: DiagnosticsDeps;
  readonly #startedAt: number;
  readonly #started: number;
  readonly #eventLoop: EventLoopMonitor;

  constructor(deps: DiagnosticsDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.systemTime();
    this.#started = deps.clock.now();
    this.#eventLoop = new EventLoopMonitor(deps.clock);
  }

  /** Starts measuring, until it is closed. */
  start(): void {
    this.#eventLoop.start();
  }

  health(): Health {
    const { clock, nodes, expected, reach, ...deps } = this.#deps;
    const pushes = pushedBy(deps.pushed(), nodes.list());
    return healthOf({
      now: clock.systemTime(),
      isRunning: deps.isRunning(),
      isDraining: deps.isStopping(),
      isListening: deps.isListening(),
      pools: this.pools(),
      cutOffBecause: reach.cutOffBecause,
      hasReadFunctions: reach.wasRead,
      unreadBecause: reach.unreadBecause,
      missingServices: expected.missing(),
      services: Array.from(pushes, ([service, { hasLiveNodes }]) => ({ service, hasLiveNodes })),
      restarted: deps.restarted(),
    });
  }

  statistics(): Statistics {
    const { gateway, clock, counts, running, connections, rateLimiter, nodes, functionTable } = this.#deps;
    const { totals } = counts;
    const states = { up: 0, leaving: 0, down: 0 };
    for (const { state } of nodes.list()) states[state]++;
    const { rss, heapUsed } = process.memoryUsage();
    return {
      gateway,
      startedAt: this.#startedAt,
      uptimeMs: Math.round(clock.now() - this.#started),
      requests: { ...totals, total: totalOf(totals), inFlight: running.size },
      streams: this.#deps.streams(),
      idempotency: this.#deps.idempotency(),
      connections: { open: connections.size, opened: connections.opened },
      rateLimiter: rateLimiter.statistics,
      pools: this.pools(),
      nodes: states,
      functions: functionTable.count,
      reloads: this.#deps.reloads(),
      pushes: this.#deps.pushes(),
      restarts: this.#deps.restarted().reduce((sum, { restarts }) => sum + restarts, 0),
      eventLoop: this.#eventLoop.statistics,
      memory: { rss, heapUsed },
    };
  }

  flow(service: string, requestType: string, version: string | null = null): CallFlow | "not_found" {
    for (const [name, value] of Object.entries({ service, requestType })) {
      refuseArgument("diagnostics.flow", name, value, typeof value === "string", "a string");
    }
    const isVersion = version === null || typeof version === "string";
    refuseArgument("diagnostics.flow", "version", version, isVersion, "a string or null");
    const { functionTable, nodes, rateLimiter } = this.#deps;
    return callFlow({ functionTable, nodes, limits: () => rateLimiter.limits }, service, requestType, version);
  }

  flows(service?: string): CallFlowSummary[] {
    const isRight = service === undefined || typeof service === "string";
    refuseArgument("diagnostics.flows", "service", service, isRight, "a string or left out");
    return listCallFlows(this.#deps.functionTable, service);
  }

  inspectRequest(request: HostRequest): RequestInspection {
    const { functionTable, rateLimiter, nodes, nodeSelector, mayHave, isDraining, pools } = this.#deps;
    return inspectRequest(request, {
      functionTable,
      rateLimiter,
      nodes,
      nodeSelector,
      mayHave,
      isDraining,
      pool: (kind) => poolStatus(pools, kind),
    });
  }

  cluster(): ClusterView {
    const { gateway, functionTable, nodes, expected, reach, failedConfigs, pushed } = this.#deps;
    const list = nodes.list();
    return {
      gateway,
      cutOffBecause: reach.cutOffBecause,
      nodes: list,
      services: servicesOf(functionTable, pushed(), list),
      missingServices: expected.missing(),
      failedConfigs: failedConfigs.summary(),
    };
  }

  functions(): CacheStatus {
    return cacheStatus(this.#deps.functionTable, this.#deps.failedConfigs);
  }

  /** The pool of sync, async and none calls, and the pool of streams. */
  pools(): WorkerPoolStatus[] {
    const { pools } = this.#deps;
    return [poolStatus(pools, "async"), poolStatus(pools, "stream")];
  }

  pushedServices(): readonly PushedServiceStatus[] {
    return this.#deps.pushed();
  }

  /** Stops measuring. */
  close(): void {
    this.#eventLoop.close();
  }
}
