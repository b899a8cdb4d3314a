import type { ChildSpec } from "../actor/child-spec.ts";
import { isAlive } from "../actor/exit.ts";
import { cast } from "../actor/gen-server.ts";
import { countChildren, type SupervisorRef, startChild } from "../actor/supervisor-requests.ts";
import type { System } from "../actor/system.ts";
import { type CompiledFunction, compileFunction } from "../call/compile-function.ts";
import { unavailable } from "../call/failure.ts";
import { HostCalls } from "../call/host-calls.ts";
import { Pipeline } from "../call/pipeline.ts";
import { RequestCounts } from "../call/request-counts.ts";
import { mainThread } from "../call/run-on-main.ts";
import { RunningCalls } from "../call/running-calls.ts";
import { streamCallActor } from "../call/stream-call.actor.ts";
import type { StreamCall } from "../call/stream-call.ts";
import { mainThreadStreams } from "../call/stream-on-main.ts";
import { ConfigStore } from "../config/config-store.ts";
import { Deadlines } from "../core/deadlines.ts";
import { libraryError } from "../core/errors.ts";
import { adminEndpoints } from "../diagnostics/admin-endpoints.ts";
import { type AdminListener, createAdminListener } from "../diagnostics/admin-listener.actor.ts";
import type { AdminRoute } from "../diagnostics/admin-route.ts";
import { Diagnostics } from "../diagnostics/diagnostics.ts";
import { metricsRoute } from "../diagnostics/metrics-route.ts";
import { createProbes, type Probes } from "../diagnostics/probes.ts";
import type { MetricsSource } from "../metrics/metrics-option.ts";
import type { NodeSelectorRef } from "../policy/node-selector.actor.ts";
import { functionKeyOf, NodeSelector } from "../policy/node-selector.ts";
import { RateLimiter } from "../policy/rate-limiter.ts";
import { RateLimiterApi } from "../policy/rate-limiter-api.ts";
import type { RateLimiterOptions } from "../policy/rate-limiter-options.ts";
import { resolveChannel } from "../socket/channel.ts";
import { ConnectionTable } from "../socket/connection-table.ts";
import { createListener, type Listener } from "../socket/listener.actor.ts";
import { Cluster } from "./cluster.ts";
import { ConfigCache } from "./config-cache.ts";
import { gatewayTree, names } from "./gateway-tree.ts";
import { metricsSource } from "./metrics-source.ts";
import { modulesOf } from "./modules.ts";
import type { ResolvedOptions } from "./options.ts";
import { WorkerPools } from "./worker-pools.ts";

/** What a gateway is made of, each part told of those that it needs; nothing runs before its tree is started. */
export class GatewayParts {
  readonly configCache: ConfigCache;
  readonly rateLimiter: RateLimiterApi;
  readonly cluster: Cluster;
  readonly pipeline: Pipeline;
  readonly hostCalls: HostCalls;
  readonly connections: ConnectionTable;
  readonly diagnostics: Diagnostics;
  readonly handleProbe: Probes;
  readonly metricsSource: MetricsSource;
  /** Undefined where no client can connect. */
  readonly listener: Listener | undefined;
  readonly admin: AdminListener | undefined;
  readonly running = new RunningCalls();
  /** The gateway's tree, but for the admin listener and the listener, which are added when it is ready. */
  readonly children: readonly ChildSpec[];
  /** Whether clients are told the message behind an `internal` error. */
  detailError: boolean;
  readonly #options: ResolvedOptions;
  readonly #system: () => System;
  readonly #functions = new ConfigStore<CompiledFunction>();
  readonly #counts = new RequestCounts();
  readonly #deadlines: Deadlines;
  readonly #pools: WorkerPools;
  #streamCount = 0;

  /** @param system the running tree, once there is one */
  constructor(options: ResolvedOptions, system: () => System) {
    const { name, clock, maxResultBytes, socket, listen, server } = options;
    this.#options = options;
    this.#system = system;
    this.detailError = options.detailError;
    this.#deadlines = new Deadlines(clock);
    this.#pools = new WorkerPools(options);
    const modules = modulesOf(options);
    const allowlist = { modules, mfaAllowlist: options.mfaAllowlist };
    const functionSources = {
      gateway: name,
      clock,
      ...allowlist,
      verifyOnWorker: this.#pools.verify.bind(this.#pools),
    };
    const compile = (config: unknown) => compileFunction(config, functionSources);
    const nodeSelector = new NodeSelector(clock, Math.random);
    this.cluster = new Cluster({
      options,
      functions: this.#functions,
      allowlist,
      configCache: names.configCache,
      compile,
      system,
    });
    const limiterOptions = options.rateLimiter as RateLimiterOptions;
    const limiter = new RateLimiter(name, clock, limiterOptions);
    const mayLimit = options.adminActions.has("update_rate_limit_config");
    this.rateLimiter = new RateLimiterApi(limiter, () => system().whereis(names.rateLimiter), mayLimit);
    this.pipeline = new Pipeline({
      gateway: name,
      rateLimiter: limiter,
      nodes: this.cluster.table,
      nodeSelector,
      isExpected: (service) => this.cluster.expected.isExpected(service),
      clock,
      deadlines: this.#deadlines,
      running: this.running,
      counts: this.#counts,
      random: Math.random,
      functions: this.#functions,
      compile,
      executors: {
        main: mainThread(options),
        worker: this.#pools.async,
        mainStreams: mainThreadStreams(options),
        workerStreams: this.#pools.stream,
      },
      startStream: (stream) => this.#startStream(stream),
      streamStallTimeoutMs: options.workerPool.streamStallTimeoutMs,
      maxPayloadBytes: socket.maxPayloadBytes,
      maxResultBytes,
      detailError: () => this.detailError,
    });
    this.hostCalls = new HostCalls(this.pipeline, clock);
    this.configCache = new ConfigCache({
      store: this.#functions,
      owner: () => system().whereis(names.configCache),
      compile,
    });
    const channels = options.channels.map(resolveChannel);
    const context = { gateway: name, clock, channels, requests: this.pipeline, options: socket };
    this.connections = new ConnectionTable(clock, socket);
    this.diagnostics = new Diagnostics({
      gateway: name,
      clock,
      functions: this.#functions,
      rateLimiter: limiter,
      nodes: this.cluster.table,
      nodeSelector,
      expected: this.cluster.expected,
      failedConfigs: this.cluster.failedConfigs,
      pools: this.#pools,
      counts: this.#counts,
      running: this.running,
      connections: this.connections,
      streams: () => ({ open: this.#openStreams(), started: this.#streamCount }),
      pushed: () => this.cluster.pushed(),
      isRunning: () => isAlive(system().root),
      restarted: () => system().restarted(),
      isDraining: () => this.pipeline.isDraining,
      isListening: () => this.#isListening(),
    });
    this.metricsSource = metricsSource(name, this.#functions, modules, this.diagnostics, this.cluster.table);
    this.handleProbe = createProbes(() => this.diagnostics.health());
    const on = server ?? (listen === undefined || listen === false ? undefined : listen);
    if (on !== undefined) {
      this.listener = createListener({
        context,
        table: this.connections,
        on,
        others: [this.cluster],
        answer: this.handleProbe,
        connections: names.connections,
      });
    }
    if (options.admin !== undefined) {
      this.admin = createAdminListener({ gateway: name, clock, ...options.admin, routes: this.#adminRoutes() });
    }
    this.children = gatewayTree({
      gateway: name,
      limiter,
      limiterOptions,
      functions: this.#functions,
      nodeSelector,
      deleted: (name) => cast(system().whereis<NodeSelectorRef>(names.nodeSelector), "forget", functionKeyOf(name)),
      workerPools: this.#pools.spec,
      cluster: options.cluster === undefined ? [] : this.cluster.children,
    });
  }

  /** Answers every call that is left, and closes what is no actor. */
  async close(): Promise<void> {
    this.pipeline.drain();
    this.running.abortAll("stopped");
    this.diagnostics.close();
    this.#deadlines.close();
    this.cluster.close(libraryError("stopped", `The gateway ${this.#options.name} has stopped`));
    await this.#pools.closed();
  }

  /** Everything that the admin listener answers. */
  #adminRoutes(): readonly AdminRoute[] {
    const { metrics, adminActions } = this.#options;
    const { diagnostics, rateLimiter, hostCalls } = this;
    const endpoints = adminEndpoints({
      diagnostics,
      tree: () => this.#system().tree(),
      rlStatus: (user) => rateLimiter.status(user, undefined, "userId"),
      rlGlobal: async () => rateLimiter.getGlobalLimits(),
      rlConfig: () => rateLimiter.getConfig(),
      calls: adminActions.has("call") ? hostCalls : null,
    });
    return metrics === undefined ? endpoints : [...endpoints, metricsRoute(metrics)];
  }

  #isListening(): boolean | null {
    if (this.listener === undefined) return null;
    const { server } = this.#options;
    const isOpen = server === undefined ? this.listener.address !== undefined : server.listening;
    return isOpen && this.#system().whereis(names.listener) !== undefined;
  }

  #openStreams(): number {
    const streams = this.#system().whereis<SupervisorRef>(names.streams);
    return streams === undefined ? 0 : countChildren(streams).active;
  }

  #startStream(stream: StreamCall): void {
    const streams = this.#system().whereis<SupervisorRef>(names.streams);
    this.#streamCount++;
    const spec = {
      id: `stream_${this.#streamCount}`,
      logic: streamCallActor,
      input: stream,
      restart: "temporary",
    } as const;
    startChild(streams, spec).catch(() => stream.failed(unavailable, false));
  }
}
