import type { RestartedActor } from "../actor/tree-node.ts";
import type { CompiledFunction } from "../call/compile-function.ts";
import type { RequestCounts } from "../call/request-counts.ts";
import type { RunningCalls } from "../call/running-calls.ts";
import type { ConfigStore } from "../config/config-store.ts";
import type { ExpectedServices } from "../config/expected-services.ts";
import type { FailedConfigs } from "../config/failed-configs.ts";
import type { PushedServiceStatus } from "../config/function-sets.ts";
import type { Clock } from "../core/clock.ts";
import type { NodeTable } from "../node/node-table.ts";
import type { NodeSelector } from "../policy/node-selector.ts";
import type { RateLimiter } from "../policy/rate-limiter.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import { type CacheStatus, cacheStatus } from "./cache-status.ts";
import { type CallFlow, type CallFlowSummary, callFlow, listCallFlows } from "./call-flow.ts";
import { type ClusterView, pushedBy, servicesOf } from "./cluster-view.ts";
import { EventLoopMonitor } from "./event-loop.ts";
import { type Health, healthOf } from "./health.ts";
import { type InspectedRequest, inspectRequest, type RequestInspection } from "./inspect-request.ts";
import { type Pools, poolStatus } from "./pool-status.ts";
import { type Statistics, totalOf } from "./statistics.ts";

/** What {@link Diagnostics} reads of its gateway. */
export interface DiagnosticsSources {
  readonly gateway: string;
  readonly clock: Clock;
  readonly functions: ConfigStore<CompiledFunction>;
  readonly rateLimiter: RateLimiter;
  readonly nodes: NodeTable;
  readonly nodeSelector: NodeSelector;
  readonly expected: ExpectedServices;
  readonly failedConfigs: FailedConfigs;
  readonly pools: Pools;
  readonly counts: RequestCounts;
  readonly running: RunningCalls;
  readonly connections: { readonly size: number; readonly opened: number };
  streams(): { readonly open: number; readonly started: number };
  pushed(): readonly PushedServiceStatus[];
  /** Whether its tree lives. */
  isRunning(): boolean;
  restarted(): readonly RestartedActor[];
  isDraining(): boolean;
  /** Null where it is to listen nowhere. */
  isListening(): boolean | null;
}

/** Looks at a gateway, and changes nothing. */
export class Diagnostics {
  readonly #sources: DiagnosticsSources;
  readonly #startedAt: number;
  readonly #started: number;
  readonly #eventLoop: EventLoopMonitor;

  constructor(sources: DiagnosticsSources) {
    this.#sources = sources;
    this.#startedAt = sources.clock.systemTime();
    this.#started = sources.clock.now();
    this.#eventLoop = new EventLoopMonitor(sources.clock);
  }

  /** Measures from now on, until it is closed. */
  start(): void {
    this.#eventLoop.start();
  }

  health(): Health {
    const { clock, nodes, expected, ...sources } = this.#sources;
    const pushes = pushedBy(sources.pushed(), nodes.list());
    return healthOf({
      now: clock.systemTime(),
      isRunning: sources.isRunning(),
      isDraining: sources.isDraining(),
      isListening: sources.isListening(),
      pools: this.poolStatus(),
      missingServices: expected.missing(),
      services: Array.from(pushes, ([service, { hasLiveNodes }]) => ({ service, hasLiveNodes })),
      restarted: sources.restarted(),
    });
  }

  statistics(): Statistics {
    const { gateway, clock, counts, running, connections, rateLimiter, nodes, functions } = this.#sources;
    const { totals } = counts;
    const states = { up: 0, leaving: 0, down: 0 };
    for (const { state } of nodes.list()) states[state]++;
    const { rss, heapUsed } = process.memoryUsage();
    return {
      gateway,
      startedAt: this.#startedAt,
      uptimeMs: Math.round(clock.now() - this.#started),
      requests: { ...totals, total: totalOf(totals), inFlight: running.size },
      streams: this.#sources.streams(),
      connections: { open: connections.size, opened: connections.opened },
      rateLimiter: rateLimiter.statistics,
      pools: this.poolStatus(),
      nodes: states,
      functions: functions.count,
      restarts: this.#sources.restarted().reduce((sum, { restarts }) => sum + restarts, 0),
      eventLoop: this.#eventLoop.statistics,
      memory: { rss, heapUsed },
    };
  }

  callFlow(service: string, requestType: string, version: string | null = null): CallFlow | "not_found" {
    const { functions, nodes, rateLimiter } = this.#sources;
    return callFlow({ functions, nodes, limits: () => rateLimiter.limits }, service, requestType, version);
  }

  listCallFlows(service?: string): CallFlowSummary[] {
    return listCallFlows(this.#sources.functions, service);
  }

  inspectRequest(request: InspectedRequest): RequestInspection {
    const { functions, rateLimiter, nodes, nodeSelector, expected, isDraining, pools } = this.#sources;
    return inspectRequest(request, {
      functions,
      rateLimiter,
      nodes,
      nodeSelector,
      isExpected: (service) => expected.isExpected(service),
      isDraining,
      pool: (kind) => poolStatus(pools, kind),
    });
  }

  clusterView(): ClusterView {
    const { gateway, functions, nodes, expected, failedConfigs, pushed } = this.#sources;
    const list = nodes.list();
    return {
      gateway,
      nodes: list,
      services: servicesOf(functions, pushed(), list),
      missingServices: expected.missing(),
      failedConfigs: failedConfigs.summary(),
    };
  }

  cacheStatus(): CacheStatus {
    return cacheStatus(this.#sources.functions, this.#sources.failedConfigs);
  }

  /** That of sync, async and none calls, and that of streams. */
  poolStatus(): WorkerPoolStatus[] {
    const { pools } = this.#sources;
    return [poolStatus(pools, "async"), poolStatus(pools, "stream")];
  }

  pushedServicesStatus(): readonly PushedServiceStatus[] {
    return this.#sources.pushed();
  }

  /** Measures nothing any more. */
  close(): void {
    this.#eventLoop.close();
  }
}
