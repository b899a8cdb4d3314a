import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { call, cast } from "../../actor/gen-server/gen-server.ts";
import { fromResource } from "../../actor/resource.ts";
import { type ChildSpec, childSpec } from "../../actor/supervisor/child-spec.ts";
import { fromDynamicSupervisor } from "../../actor/supervisor/dynamic-supervisor.ts";
import { fromSupervisor } from "../../actor/supervisor/supervisor.ts";
import type { SupervisorRef } from "../../actor/supervisor/supervisor-requests.ts";
import type { System } from "../../actor/system.ts";
import { type CompiledFunction, withNodes } from "../../call/functions/compile-function.ts";
import type { Mfa } from "../../config/fun-config.ts";
import type { FunctionTable } from "../../config/function-table.ts";
import { allowedPlace, type ModuleAllowlist } from "../../config/module-allowlist.ts";
import { libraryError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../../core/foreign/own-context.ts";
import { settle } from "../../core/foreign/thenable.ts";
import { Waiters } from "../../core/time/waiters.ts";
import { atMost } from "../../core/time/within.ts";
import type { MainFunctions } from "../../execution/main-functions.ts";
import { GatewaySession, type GatewaySessionHost, gatewaySessionDefaults } from "../../node/gateway-session.ts";
import { randomNonce } from "../../node/greeting/proof.ts";
import { serviceTokens } from "../../node/greeting/push-token.ts";
import { nodeMonitorActor } from "../../node/node-monitor.actor.ts";
import { maxNodes, NodeTable } from "../../node/node-table.ts";
import type { GatewayEndpoint } from "../../node/node-transport.ts";
import type { PeerScope, Peers } from "../../node/peers/peers.ts";
import { startSession } from "../../node/session.actor.ts";
import type { Pipe, PipeReceiver } from "../../node/wire/pipe.ts";
import type { ConfigReceiverRef } from "../../sync/config-receiver.actor.ts";
import { configSync } from "../../sync/config-sync.ts";
import { ClusterReach } from "../../sync/presence/cluster-reach.ts";
import { ExpectedServices } from "../../sync/presence/expected-services.ts";
import { FailedConfigs } from "../../sync/push/failed-configs.ts";
import { pushDefaults } from "../../sync/push/push.ts";
import { FunctionSets, type PushedServiceStatus } from "../../sync/sets/function-sets.ts";
import { clusterActors } from "../options/actor-names.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { callNode } from "./call-node.ts";

// Includes sessions that are still in their handshake.
const maxChildren = 2 * maxNodes;

/** The parts of its gateway that {@link Cluster} needs. */
export interface ClusterDeps {
  readonly options: ResolvedOptions;
  readonly functionTable: FunctionTable<CompiledFunction>;
  /** The gateway's functions that may run as resolvers. */
  readonly allowlist: ModuleAllowlist;
  readonly mainFunctions: MainFunctions;
  /** For the transport, if gateways reach each other over it. */
  readonly peer: () => PeerScope | null;
  /** The name of the actor that owns the table of functions. */
  readonly configCache: string;
  compile(config: unknown): Promise<CompiledFunction>;
  /** The gateway's tree, once it has started. */
  system(): System;
}

/** A gateway's service nodes: lets them in, calls them, and keeps its functions in step with theirs. */
export class Cluster {
  readonly table: NodeTable;
  readonly reach: ClusterReach;
  readonly expected: ExpectedServices;
  readonly failedConfigs = new FailedConfigs();
  /** Resolves when nodes can connect; rejects with a GenApiError `listen_failed`. */
  readonly ready: Promise<void>;
  readonly #deps: ClusterDeps;
  readonly #sets = new FunctionSets();
  /** Callers that wait for any node. */
  readonly #waiters = new Waiters();
  #endpoint: GatewayEndpoint | null = null;
  /** The current or last endpoint, which refuses nodes that come too late. */
  #upgrades: GatewayEndpoint | null = null;
  #isReady = false;
  #onOpen!: (ready: Promise<void> | undefined) => void;
  #sessions = 0;
  /** Finds actors of the tree; null until the transport has been started. */
  #whereis: ((name: string) => ConfigReceiverRef | undefined) | null = null;

  constructor(deps: ClusterDeps) {
    const { name, clock, expectServices, nodeGraceMs, cluster } = deps.options;
    this.#deps = deps;
    this.table = new NodeTable(name, clock);
    this.reach = new ClusterReach({
      gateway: name,
      clock,
      transport: cluster?.name ?? null,
      // At the first start the receiver comes later, and checks for itself.
      changed: (isCutOff) => cast(this.#whereis?.(clusterActors.configReceiver), "reachChanged", isCutOff),
    });
    this.expected = new ExpectedServices(expectServices, clock, nodeGraceMs);
    this.ready = new Promise<Promise<void> | undefined>((resolve) => {
      this.#onOpen = resolve;
    }).then((ready) => ready);
    // Whoever starts the gateway waits for it; a gateway that ends before has nobody who does.
    this.ready.then(
      () => {
        this.#isReady = true;
      },
      () => undefined,
    );
  }

  /** The address for nodes, if they have a port of their own. */
  get address(): GatewayEndpoint["address"] {
    return this.#endpoint?.address;
  }

  /** The other gateways, while the transport that reaches them is open. */
  get peers(): Peers | undefined {
    return this.#endpoint?.peers;
  }

  /** What nodes have pushed, and what was pulled. */
  pushed(): readonly PushedServiceStatus[] {
    return this.#sets.status();
  }

  /**
   * Takes an upgrade request that is for a node, and answers 503 while nodes cannot connect.
   * @returns false if it is not for a node
   */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    return this.#upgrades?.upgrade?.(request, socket, head) ?? false;
  }

  /** Asks the config receiver in the name of a node, see `sync/push/push.ts`. */
  ask(node: string, services: readonly string[], name: string, body: unknown): Promise<unknown> {
    return call(this.#receiver, "ask", { name, body, node, services }, { timeoutMs: "infinity" });
  }

  /**
   * Resolves when the node can be called; at once if it can.
   * @throws the error of {@link close} (as a rejection)
   */
  async whenUp(node: string): Promise<void> {
    while (!this.table.isUp(node)) await this.#waiters.wait();
  }

  /**
   * Whether a function that is not registered may exist nevertheless, or still come: its service is expected, or this
   * gateway cannot see what others know.
   */
  mayHave(service: string): boolean {
    return this.reach.isPartial || this.expected.isExpected(service);
  }

  /** Resolves when nodes can connect and what gateways share was read, or its time is over. */
  async started(): Promise<void> {
    await this.ready;
    const timeoutMs = this.#endpoint?.sharedPushes?.readTimeoutMs ?? 0;
    await atMost(timeoutMs, this.reach.whenRead(), this.#deps.options.clock);
  }

  /** The gateway has stopped: rejects everyone who waits for a node or for services. */
  close(error: Error): void {
    this.reach.close(error);
    this.expected.close(error);
    this.#waiters.rejectAll(error);
  }

  /**
   * Its part of the gateway's tree.
   *
   * ```
   * nodes (one_for_one)
   * ├── node_monitor            owns the table of nodes
   * ├── node_sessions (dynamic): one session per node, temporary
   * └── node_transport          lets nodes connect
   * config_sync (rest_for_one)
   * ├── config_puller (dynamic): a puller per service
   * └── config_receiver         owns what each node pushed
   * ```
   */
  get children(): ChildSpec[] {
    const { nodeGraceMs } = this.#deps.options;
    return [
      childSpec({
        id: clusterActors.nodes,
        name: clusterActors.nodes,
        logic: fromSupervisor({
          children: [
            childSpec({
              id: clusterActors.nodeMonitor,
              name: clusterActors.nodeMonitor,
              logic: nodeMonitorActor,
              input: { table: this.table, nodeGraceMs, isCutOff: () => this.reach.isCutOff },
            }),
            childSpec({
              id: clusterActors.nodeSessions,
              name: clusterActors.nodeSessions,
              logic: fromDynamicSupervisor({ maxChildren }),
            }),
            childSpec({ id: clusterActors.nodeTransport, name: clusterActors.nodeTransport, logic: this.#transport() }),
          ],
        }),
      }),
      this.#configSync(),
    ];
  }

  #transport(): ChildSpec["logic"] {
    const { cluster, name, clock, pushToken } = this.#deps.options;
    const host = this.#sessionHost();
    return fromResource(({ fail, whereis }) => {
      this.#whereis = whereis;
      const connected = (pipe: Pipe): PipeReceiver => {
        const session = new GatewaySession(pipe, host);
        startSession(whereis<SupervisorRef>(clusterActors.nodeSessions), `node_session_${++this.#sessions}`, session);
        return session.receiver;
      };
      const hasToken = pushToken !== undefined;
      const { reach } = this;
      const peer = this.#deps.peer();
      const endpoint = cluster?.openGateway({
        name,
        clock,
        random: Math.random,
        hasToken,
        connected,
        ...(peer === null ? {} : { peer }),
        reached: () => reach.reached(true),
        cutOff: (reason) => reach.lost(reason),
        // Before, whoever starts the gateway hears of it, and stops the rest.
        fail: (error) => {
          if (this.#isReady) fail(error);
        },
      });
      this.#endpoint = endpoint ?? null;
      this.#upgrades = this.#endpoint;
      if (endpoint?.medium === undefined) reach.reached(endpoint?.sharedPushes !== undefined);
      this.#onOpen(endpoint?.ready);
      // At the first start the receiver comes later, and checks for itself.
      cast(whereis<ConfigReceiverRef>(clusterActors.configReceiver), "sharedPushesOpened");
      return {
        close: () => {
          this.#endpoint = null;
          reach.closed();
          endpoint?.close();
        },
        formatStatus: () => ({ transport: cluster?.name ?? null, url: endpoint?.address?.url ?? null }),
      };
    });
  }

  #sessionHost(): GatewaySessionHost {
    const { name, clock, pushToken, heartbeat, maxNodeRequestsInFlight, nodeStreamWindow } = this.#deps.options;
    const { table } = this;
    return {
      ...gatewaySessionDefaults,
      gateway: name,
      clock,
      tokens: serviceTokens(pushToken),
      heartbeatMs: heartbeat.intervalMs,
      missed: heartbeat.missed,
      maxInFlight: maxNodeRequestsInFlight,
      streamWindow: nodeStreamWindow,
      nonce: randomNonce,
      admit: (identity) => table.admit(identity),
      refused: (peer, node, reason) => table.refused(peer, node, reason),
      leaving: () => table.leaving(),
      listenerThrew: (session, call, error) => table.listenerThrew(session, call, error),
      up: (session) => {
        table.up(session);
        cast(this.#receiver, "nodeUp", session.identity?.node ?? "");
        this.#waiters.resolveAll();
      },
      down: (session, reason) => {
        table.down(session, reason);
        cast(this.#receiver, "nodeLost", session.identity?.node ?? "");
      },
      asked: ({ identity }, ask, body) => this.ask(identity?.node ?? "", identity?.services ?? [], ask, body),
    };
  }

  #configSync(): ChildSpec {
    const { options, functionTable, compile, configCache } = this.#deps;
    const { name, clock, nodeGraceMs, pushableModules, serviceConfigs, pullIntervalMs, pullTimeoutMs } = options;
    const { maxFunctionsPerPush, maxConfigBytes } = options;
    const { configPuller, configReceiver } = clusterActors;
    return configSync(clusterActors.configSync, {
      gateway: name,
      names: { configPuller, configReceiver, configCache },
      sets: this.#sets,
      functionTable: functionTable,
      expected: this.expected,
      failedConfigs: this.failedConfigs,
      pushableModules: new Set(pushableModules),
      limits: { ...pushDefaults, maxFunctions: maxFunctionsPerPush, maxConfigBytes },
      nodeGraceMs,
      serviceConfigs,
      pullIntervalMs: pullIntervalMs,
      pullTimeoutMs: pullTimeoutMs,
      random: Math.random,
      compile,
      withNodes: (entry, nodes) => withNodes(entry as CompiledFunction, nodes),
      reach: this.reach,
      canReachNodes: async () => (await this.#endpoint?.medium?.answers()) ?? true,
      isLive: (node, service) => this.table.isLive(node, service),
      hasGivenUp: (node, service) => this.table.hasGivenUp(node, service),
      resolveNodes: (nodes) => ("module" in nodes ? this.#resolve(nodes) : nodes),
      callNode: (node, service, mfa, limits) => callNode(this.table.get(node, service), mfa, limits, clock),
      sharedPushes: () => this.#endpoint?.sharedPushes,
    });
  }

  async #resolve(resolver: Mfa): Promise<unknown> {
    // Functions that may not run were refused with the options.
    const place = allowedPlace(resolver, this.#deps.allowlist);
    if (place === null)
      throw libraryError("invalid_option", `The resolver ${resolver.module}.${resolver.function} may not run`);
    const { run } = await this.#deps.mainFunctions.load(place);
    return new Promise((resolve, reject) => {
      const resolved = (value: unknown): void => {
        hearPromises(value);
        resolve(value);
      };
      settle(callInOwnContext(run, resolver.args), resolved, reject);
    });
  }

  get #receiver(): ConfigReceiverRef | undefined {
    return this.#deps.system().whereis<ConfigReceiverRef>(clusterActors.configReceiver);
  }
}
