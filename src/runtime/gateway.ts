import type { Closed } from "../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../actor/inspection.ts";
import { startChild, terminateChild } from "../actor/supervisor-requests.ts";
import { type System, startSystem } from "../actor/system.ts";
import type { TreeNode } from "../actor/tree-node.ts";
import type { HostCallOptions, HostRequest } from "../call/host-calls.ts";
import type { Response } from "../call/response.ts";
import { ConfigPusher } from "../config/config-pusher.ts";
import type { PushedServiceStatus } from "../config/function-sets.ts";
import type { PushOutcome } from "../config/push.ts";
import { libraryError } from "../core/errors.ts";
import { atMost } from "../core/within.ts";
import type { AdminListen } from "../diagnostics/admin-server.ts";
import type { CacheStatus } from "../diagnostics/cache-status.ts";
import type { CallFlow, CallFlowSummary } from "../diagnostics/call-flow.ts";
import type { ClusterView } from "../diagnostics/cluster-view.ts";
import type { Health } from "../diagnostics/health.ts";
import type { InspectedRequest, RequestInspection } from "../diagnostics/inspect-request.ts";
import type { Probes } from "../diagnostics/probes.ts";
import type { Statistics } from "../diagnostics/statistics.ts";
import type { RateLimit } from "../policy/rate-limit.ts";
import type { RateLimitStatus } from "../policy/rate-limiter.ts";
import type { RateLimiterApi } from "../policy/rate-limiter-api.ts";
import type { RateLimiterConfig } from "../policy/rate-limiter-options.ts";
import type { ListenAddress } from "../socket/http-server.ts";
import { telemetry } from "../telemetry/telemetry-api.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { ConfigCache } from "./config-cache.ts";
import { GatewayParts } from "./gateway-parts.ts";
import { adminSpec, listenerSpec, names } from "./gateway-tree.ts";
import { functionsOf } from "./modules.ts";
import { Nodes } from "./nodes.ts";
import { type AdminAction, type GenApiOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { takeName } from "./program-names.ts";
import type { HostPush, Runtime } from "./runtime.ts";
import { startProgram } from "./start-program.ts";

/** Starts a gateway. @throws as {@link startGenApi} */
export async function openGateway(options: GenApiOptions): Promise<Runtime> {
  const resolved = resolveOptions(options);
  return startProgram(resolved.logger, () => new Gateway(resolved));
}

class Gateway implements Runtime {
  readonly name: string;
  readonly telemetry = telemetry;
  readonly configCache: ConfigCache;
  readonly rateLimiter: RateLimiterApi;
  readonly nodes: Nodes;
  readonly closed: Promise<Closed>;
  readonly handleProbe: Probes;
  readonly #options: ResolvedOptions;
  readonly #system: System;
  readonly #parts: GatewayParts;
  /** Of what was attached to it. */
  readonly #detach: (() => void)[] = [];
  #stopping: Promise<Closed> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.name = options.name;
    this.#parts = new GatewayParts(options, () => this.#system);
    const { configCache, rateLimiter, cluster, handleProbe, children } = this.#parts;
    this.configCache = configCache;
    this.rateLimiter = rateLimiter;
    this.nodes = new Nodes(cluster);
    this.handleProbe = handleProbe;
    this.#system = startSystem({
      name: "gen_api",
      program: options.name,
      clock: options.clock,
      intensity: options.intensity,
      children,
      ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
    });
    this.closed = this.#system.closed.then(async (closed) => {
      await this.#parts.close();
      for (const detach of this.#detach) detach();
      return closed;
    });
  }

  async start(): Promise<void> {
    const { metrics, tracing } = this.#options;
    this.#parts.diagnostics.start();
    this.#detach.push(takeName(this.name, metrics !== undefined || tracing !== undefined));
    if (metrics !== undefined) this.#detach.push(metrics.attach(this.#parts.metricsSource));
    if (tracing !== undefined) this.#detach.push(tracing.attach(this.name));
    await this.configCache.batchAdd(functionsOf(this.#options));
    if (this.#options.cluster !== undefined) await this.#parts.cluster.ready;
    const { admin, listener } = this.#parts;
    if (admin !== undefined) {
      await startChild(this.#system.root, adminSpec(admin.logic));
      await admin.ready;
    }
    if (listener === undefined) return;
    await startChild(this.#system.root, listenerSpec(listener.logic));
    await listener.ready;
  }

  get address(): ListenAddress | undefined {
    return this.#parts.listener?.address;
  }

  get adminAddress(): AdminListen | undefined {
    return this.#parts.admin?.address;
  }

  call<Result>(request: HostRequest, options?: HostCallOptions): Promise<Result> {
    return this.#parts.hostCalls.call(request, options);
  }

  request<Result>(request: HostRequest, options?: HostCallOptions): Promise<Response<Result>> {
    return this.#parts.hostCalls.request(request, options);
  }

  stream<Chunk>(request: HostRequest, options?: HostCallOptions): AsyncGenerator<Chunk, void, void> {
    return this.#parts.hostCalls.stream(request, options);
  }

  disconnect(id: string): number {
    return this.#parts.connections.disconnect(id);
  }

  async pushConfig({ node, ...push }: HostPush, options?: { readonly force?: boolean }): Promise<PushOutcome> {
    this.#mayDo("push_config", "pushConfig");
    const pusher = new ConfigPusher(push);
    return pusher.push((name, body) => this.#parts.cluster.ask(node, [push.service], name, body), options);
  }

  setDetailError(detailError: boolean): void {
    this.#mayDo("change_detail_error", "setDetailError");
    this.#parts.detailError = detailError;
  }

  rlStatus(userId: string): RateLimitStatus[] {
    return this.rateLimiter.status(userId, undefined, "userId");
  }

  async rlGlobal(limits?: readonly RateLimit[]): Promise<readonly RateLimit[]> {
    if (limits !== undefined) await this.rateLimiter.setGlobalLimits(limits);
    return this.rateLimiter.getGlobalLimits();
  }

  rlConfig(): RateLimiterConfig {
    return this.rateLimiter.getConfig();
  }

  health(): Health {
    return this.#parts.diagnostics.health();
  }

  statistics(): Statistics {
    return this.#parts.diagnostics.statistics();
  }

  callFlow(service: string, requestType: string, version?: string | null): CallFlow | "not_found" {
    return this.#parts.diagnostics.callFlow(service, requestType, version);
  }

  listCallFlows(service?: string): CallFlowSummary[] {
    return this.#parts.diagnostics.listCallFlows(service);
  }

  inspectRequest(request: InspectedRequest): RequestInspection {
    return this.#parts.diagnostics.inspectRequest(request);
  }

  clusterView(): ClusterView {
    return this.#parts.diagnostics.clusterView();
  }

  cacheStatus(): CacheStatus {
    return this.#parts.diagnostics.cacheStatus();
  }

  poolStatus(): readonly WorkerPoolStatus[] {
    return this.#parts.diagnostics.poolStatus();
  }

  pushedServicesStatus(): readonly PushedServiceStatus[] {
    return this.#parts.diagnostics.pushedServicesStatus();
  }

  tree(): TreeNode {
    return this.#system.tree();
  }

  inspect(inspection: InspectionObserver | Inspection): () => void {
    return this.#system.inspect(inspection);
  }

  stop({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<Closed> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  #mayDo(action: AdminAction, method: string): void {
    if (this.#options.adminActions.has(action)) return;
    const allowed = `only where the option adminActions lists "${action}"`;
    throw libraryError("permission_denied", `${method} may be called ${allowed}`);
  }

  async #stop(drainMs: number): Promise<Closed> {
    const { clock } = this.#options;
    this.#parts.pipeline.drain();
    if (this.#system.whereis(names.listener) !== undefined) await terminateChild(this.#system.root, names.listener);
    await atMost(drainMs, this.#parts.running.finished(), clock);
    this.#parts.running.abortAll("stopped");
    await this.#system.shutdown();
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
