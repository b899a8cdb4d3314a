import { randomBytes } from "node:crypto";
import { cast } from "../../actor/gen-server/gen-server.ts";
import { isAlive } from "../../actor/lifecycle/exit.ts";
import type { ChildSpec } from "../../actor/supervisor/child-spec.ts";
import { countChildren, type SupervisorRef, startChild } from "../../actor/supervisor/supervisor-requests.ts";
import type { System } from "../../actor/system.ts";
import { adminEndpoints } from "../../admin/admin-endpoints.ts";
import { type AdminListener, createAdminListener } from "../../admin/admin-listener.actor.ts";
import type { AdminRoute } from "../../admin/admin-route.ts";
import { metricsRoute } from "../../admin/metrics-route.ts";
import { Across } from "../../call/across/across.ts";
import { type CompiledFunction, compileFunction } from "../../call/functions/compile-function.ts";
import { HostCalls } from "../../call/host/host-calls.ts";
import { KeyedCalls } from "../../call/idempotency/keyed-calls.ts";
import { mainThread, mainThreadStreams } from "../../call/main-thread.ts";
import { unavailable } from "../../call/request/failure.ts";
import { RequestCounts } from "../../call/request/request-counts.ts";
import { RunningCalls } from "../../call/request/running-calls.ts";
import { ResumableStreams } from "../../call/resume/resumable-streams.ts";
import { Pipeline } from "../../call/stages/pipeline.ts";
import { streamCallActor } from "../../call/stream-call.actor.ts";
import type { StreamCall } from "../../call/stream-call.ts";
import { FunctionTable } from "../../config/function-table.ts";
import { libraryError } from "../../core/errors.ts";
import { SharedBudget } from "../../core/fair/shared-budget.ts";
import { Groups } from "../../core/groups.ts";
import type { Clock } from "../../core/time/clock.ts";
import { Deadlines } from "../../core/time/deadlines.ts";
import { describeGateway } from "../../description/describe-gateway.ts";
import type { DescribedIdentity, GatewayDescription } from "../../description/gateway-description.ts";
import { GatewayDiagnostics } from "../../diagnostics/gateway-diagnostics.ts";
import { createProbes, type Probes } from "../../diagnostics/probes.ts";
import { MainFunctions } from "../../execution/main-functions.ts";
import type { MetricsSource } from "../../metrics/metrics-option.ts";
import { RateLimiter } from "../../policy/rate-limiter/rate-limiter.ts";
import { RateLimiterApi } from "../../policy/rate-limiter/rate-limiter-api.ts";
import type { RateLimiterOptions } from "../../policy/rate-limiter/rate-limiter-options.ts";
import type { NodeSelectorRef } from "../../policy/selection/node-selector.actor.ts";
import { functionKeyOf, NodeSelector } from "../../policy/selection/node-selector.ts";
import { resolveChannel } from "../../socket/channels/channel.ts";
import type { JoinedChannel } from "../../socket/channels/joined-channel.ts";
import { ConnectionTable } from "../../socket/connection-table.ts";
import { drainSockets } from "../../socket/drainer.ts";
import { Turns } from "../../socket/inbound/flow-turns.ts";
import { SocketMemory } from "../../socket/inbound/socket-memory.ts";
import { SpentBudgets } from "../../socket/inbound/spent-budgets.ts";
import { createListener, type Listener } from "../../socket/listener.actor.ts";
import { Pushes } from "../../socket/pushes/pushes.ts";
import { ConfigCache } from "../api/config-cache.ts";
import { gatewayActors } from "../options/actor-names.ts";
import { modulesOf } from "../options/given-functions.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { Reloads } from "../program/reloads.ts";
import { WorkerPools } from "../program/worker-pools.ts";
import { Cluster } from "./cluster.ts";
import { gatewayTree } from "./gateway-tree.ts";
import { gatewayUses } from "./gateway-uses.ts";
import { metricsSource } from "./metrics-source.ts";

/** The parts of a gateway, each connected to those it needs; nothing runs before its tree is started. */
export class GatewayParts {
  readonly configCache: ConfigCache;
  readonly rateLimiter: RateLimiterApi;
  readonly cluster: Cluster;
  readonly pipeline: Pipeline;
  readonly hostCalls: HostCalls;
  readonly connections: ConnectionTable;
  readonly pushes: Pushes;
  readonly diagnostics: GatewayDiagnostics;
  readonly handleProbe: Probes;
  readonly metricsSource: MetricsSource;
  readonly describe: (identity?: DescribedIdentity) => GatewayDescription;
  readonly listener: Listener;
  readonly admin: AdminListener | undefined;
  readonly running = new RunningCalls();
  readonly resumable: ResumableStreams;
  /** The gateway's tree without the admin listener and the listener, which are added when it is ready. */
  readonly children: readonly ChildSpec[];
  /** Set when it begins to stop: from then on it should get no more clients. */
  isStopping = false;
  /** Whether clients see the message of an `internal` error. */
  detailError: boolean;
  readonly #options: ResolvedOptions;
  readonly #system: () => System;
  readonly #functionTable = new FunctionTable<CompiledFunction>();
  readonly #counts = new RequestCounts();
  readonly #deadlines: Deadlines;
  readonly #pools: WorkerPools;
  readonly #keyedCalls: KeyedCalls;
  readonly #across: Across | null;
  readonly reloads: Reloads;
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
    const mainFunctions = new MainFunctions(clock);
    const functionSources = {
      gateway: name,
      clock,
      mainFunctions,
      ...allowlist,
      verifyOnWorker: this.#pools.verify.bind(this.#pools),
    };
    const compile = (config: unknown) => compileFunction(config, functionSources);
    const nodeSelector = new NodeSelector(clock, Math.random);
    this.cluster = new Cluster({
      options,
      functionTable: this.#functionTable,
      allowlist,
      mainFunctions,
      peer: () => this.#across,
      configCache: gatewayActors.configCache,
      compile,
      system,
    });
    this.reloads = new Reloads(options, {
      pools: this.#pools,
      mainFunctions,
      ...gatewayUses({
        gateway: name,
        functionTable: this.#functionTable,
        serviceConfigs: options.serviceConfigs,
        allowlist,
      }),
    });
    const limiterOptions = options.rateLimiter as RateLimiterOptions;
    const limiter = new RateLimiter(name, clock, limiterOptions);
    const mayLimit = options.adminActions.has("update_rate_limit_config");
    this.rateLimiter = new RateLimiterApi(limiter, () => system().whereis(gatewayActors.rateLimiter), mayLimit);
    this.#keyedCalls = new KeyedCalls(name, clock, options.idempotency);
    const address = options.cluster?.hasPeers ? randomBytes(16).toString("base64url") : undefined;
    this.resumable = new ResumableStreams(name, clock, options.streams, address);
    const { resumable } = this;
    const peers = () => this.cluster.peers;
    this.#across =
      address === undefined ? null : new Across({ address, clock, keyedCalls: this.#keyedCalls, resumable, peers });
    this.pipeline = new Pipeline({
      gateway: name,
      rateLimiter: limiter,
      nodes: this.cluster.table,
      nodeSelector,
      mayHave: (service) => this.cluster.mayHave(service),
      clock,
      deadlines: this.#deadlines,
      running: this.running,
      counts: this.#counts,
      random: Math.random,
      functionTable: this.#functionTable,
      compile,
      executors: {
        main: mainThread(options),
        worker: this.#pools.async,
        mainStreams: mainThreadStreams(options),
        workerStreams: this.#pools.stream,
      },
      nested: {
        clock,
        requests: () => this.pipeline,
        maxCallDepth: options.maxCallDepth,
        maxPayloadBytes: socket.maxPayloadBytes,
      },
      startStream: (stream) => this.#startStream(stream),
      resumable: this.resumable,
      keyedCalls: this.#keyedCalls,
      across: this.#across,
      streamStallTimeoutMs: options.workerPool.streamStallTimeoutMs,
      maxPayloadBytes: socket.maxPayloadBytes,
      maxResultBytes,
      detailError: () => this.detailError,
    });
    this.hostCalls = new HostCalls(this.pipeline);
    this.configCache = new ConfigCache({
      functionTable: this.#functionTable,
      owner: () => system().whereis(gatewayActors.configCache),
      compile,
    });
    const channels = options.channels.map(resolveChannel);
    const members = new Groups<string, JoinedChannel>();
    const context = {
      gateway: name,
      clock,
      channels,
      requests: this.pipeline,
      members,
      options: socket,
      turns: new Turns(),
      spentBudgets: new SpentBudgets(socket.frameLimit),
      memory: new SocketMemory(socket.maxHeldBytes),
      requestBudget: new SharedBudget(socket.maxRequestBytesInSum),
    };
    this.connections = new ConnectionTable(clock, socket);
    this.pushes = new Pushes({
      gateway: name,
      channels,
      members,
      connectionsOf: (target) => this.connections.of(target),
      maxPushBytes: socket.maxPushBytes,
    });
    this.diagnostics = new GatewayDiagnostics({
      gateway: name,
      clock,
      functionTable: this.#functionTable,
      rateLimiter: limiter,
      nodes: this.cluster.table,
      nodeSelector,
      expected: this.cluster.expected,
      reach: this.cluster.reach,
      mayHave: (service) => this.cluster.mayHave(service),
      failedConfigs: this.cluster.failedConfigs,
      pools: this.#pools,
      reloads: () => this.reloads.counts,
      counts: this.#counts,
      running: this.running,
      connections: this.connections,
      pushes: () => this.pushes.totals,
      streams: () => ({
        open: this.#openStreams(),
        started: this.#streamCount,
        detached: this.resumable.detached,
        keptBytes: this.resumable.keptBytes,
      }),
      idempotency: () => ({
        running: this.#keyedCalls.running,
        kept: this.#keyedCalls.kept,
        keptBytes: this.#keyedCalls.bytes,
      }),
      pushed: () => this.cluster.pushed(),
      isRunning: () => isAlive(system().root),
      restarted: () => system().restarted(),
      isStopping: () => this.isStopping,
      isDraining: () => this.pipeline.isDraining,
      isListening: () => this.#isListening(),
    });
    const described = options.channels.map(({ topic }, at) => ({ topic, event: channels[at]?.event ?? "" }));
    this.describe = (identity) => {
      const { path: socketPath } = socket;
      const parts = { gateway: name, socketPath, channels: described, functionTable: this.#functionTable };
      return describeGateway({ ...parts, limits: () => limiter.limits }, identity);
    };
    this.metricsSource = metricsSource(name, this.#functionTable, this.diagnostics, this.cluster);
    this.handleProbe = createProbes(() => this.diagnostics.health());
    this.listener = createListener({
      context,
      table: this.connections,
      on: server ?? (listen || null),
      others: [this.cluster],
      answer: this.handleProbe,
      connections: gatewayActors.connections,
    });
    if (options.admin !== undefined) {
      this.admin = createAdminListener({ gateway: name, clock, ...options.admin, routes: this.#adminRoutes() });
    }
    this.children = gatewayTree({
      gateway: name,
      limiter,
      limiterOptions,
      functionTable: this.#functionTable,
      nodeSelector,
      deleted: (name) =>
        cast(system().whereis<NodeSelectorRef>(gatewayActors.nodeSelector), "forget", functionKeyOf(name)),
      workerPools: this.#pools.spec,
      cluster: options.cluster === undefined ? [] : this.cluster.children,
    });
  }

  /**
   * Refuses new clients and new requests, and closes clients as their calls end. Resolves when all are gone and no call
   * of the host program runs any more.
   *
   * @param drainMs the time within which the sockets are closed
   * @param clock measures that time
   */
  async drain(drainMs: number, clock: Clock): Promise<void> {
    this.pipeline.drain();
    this.listener.drain();
    this.resumable.drain();
    await drainSockets(this.connections.connections, this.#options.drain, drainMs, clock);
    await this.running.finished();
  }

  /** Every call was answered: other gateways need this one no more. */
  leaveOthers(): void {
    this.#across?.close();
  }

  /** Nothing is reloaded any more. */
  closeReloads(): void {
    this.reloads.close(libraryError("stopped", `The gateway ${this.#options.name} is stopping`));
  }

  /** Answers every remaining call, and closes the parts that are not actors. */
  async close(): Promise<void> {
    this.pipeline.drain();
    this.closeReloads();
    this.running.abortAll("stopped");
    this.resumable.close();
    this.#keyedCalls.close();
    this.leaveOthers();
    this.diagnostics.close();
    this.#deadlines.close();
    this.cluster.close(libraryError("stopped", `The gateway ${this.#options.name} has stopped`));
    await this.#pools.closed();
  }

  /** Every route of the admin listener. */
  #adminRoutes(): readonly AdminRoute[] {
    const { metrics, adminActions } = this.#options;
    const { diagnostics, rateLimiter, hostCalls } = this;
    const endpoints = adminEndpoints({
      diagnostics,
      tree: () => this.#system().tree(),
      describe: this.describe,
      rateLimiter,
      calls: adminActions.has("call") ? hostCalls : null,
      reloads: adminActions.has("reload") ? this.reloads : null,
    });
    return metrics === undefined ? endpoints : [...endpoints, metricsRoute(metrics)];
  }

  #isListening(): boolean | null {
    const { server, listen } = this.#options;
    if (server === undefined && !listen) return null;
    const isOpen = server === undefined ? this.listener.address !== undefined : server.listening;
    return isOpen && this.#system().whereis(gatewayActors.listener) !== undefined;
  }

  #openStreams(): number {
    const streams = this.#system().whereis<SupervisorRef>(gatewayActors.streams);
    return streams === undefined ? 0 : countChildren(streams).active;
  }

  #startStream(stream: StreamCall): void {
    const streams = this.#system().whereis<SupervisorRef>(gatewayActors.streams);
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
