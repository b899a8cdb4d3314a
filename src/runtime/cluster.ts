import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ChildSpec, childSpec } from "../actor/child-spec.ts";
import { fromDynamicSupervisor } from "../actor/dynamic-supervisor.ts";
import { call, cast } from "../actor/gen-server.ts";
import { fromResource } from "../actor/resource.ts";
import { fromSupervisor } from "../actor/supervisor.ts";
import type { SupervisorRef } from "../actor/supervisor-requests.ts";
import type { System } from "../actor/system.ts";
import { type CompiledFunction, withNodes } from "../call/compile-function.ts";
import type { ConfigReceiverRef } from "../config/config-receiver.actor.ts";
import type { ConfigStore } from "../config/config-store.ts";
import { configSync } from "../config/config-sync.ts";
import { ExpectedServices } from "../config/expected-services.ts";
import { FailedConfigs } from "../config/failed-configs.ts";
import type { Mfa } from "../config/fun-config.ts";
import { FunctionSets, type PushedServiceStatus } from "../config/function-sets.ts";
import { allowedUrl, type ModuleAllowlist } from "../config/module-allowlist.ts";
import { pushDefaults } from "../config/push.ts";
import { loadFunction } from "../core/load-function.ts";
import { Waiters } from "../core/waiters.ts";
import { nodeMonitor } from "../node/node-monitor.actor.ts";
import { NodeSession, type NodeSessionHost, nodeSessionDefaults } from "../node/node-session.ts";
import { maxNodes, NodeTable } from "../node/node-table.ts";
import type { Pipe, PipeReceiver } from "../node/pipe.ts";
import { randomNonce } from "../node/proof.ts";
import { serviceTokens } from "../node/push-token.ts";
import { startSession } from "../node/session.actor.ts";
import type { GatewayEndpoint } from "../node/transport.ts";
import { callNode } from "./call-node.ts";
import type { ResolvedOptions } from "./options.ts";

const names = {
  nodes: "nodes",
  nodeMonitor: "node_monitor",
  nodeSessions: "node_sessions",
  nodeTransport: "node_transport",
  configSync: "config_sync",
  configPuller: "config_puller",
  configReceiver: "config_receiver",
} as const;

// Sessions that have not greeted yet are among them.
const maxChildren = 2 * maxNodes;

/** What {@link Cluster} needs of its gateway. */
export interface ClusterSources {
  readonly options: ResolvedOptions;
  readonly functions: ConfigStore<CompiledFunction>;
  /** What of the gateway's may run as a resolver. */
  readonly allowlist: ModuleAllowlist;
  /** The name of the actor that owns the table of functions. */
  readonly configCache: string;
  compile(config: unknown): Promise<CompiledFunction>;
  /** The gateway's tree, once it has started. */
  system(): System;
}

/** A gateway's service nodes: lets them in, calls them, and keeps its functions in step with theirs. */
export class Cluster {
  readonly table: NodeTable;
  readonly expected: ExpectedServices;
  readonly failedConfigs = new FailedConfigs();
  /** Resolves when nodes can connect; rejects with a GenApiError `listen_failed`. */
  readonly ready: Promise<void>;
  readonly #sources: ClusterSources;
  readonly #sets = new FunctionSets();
  /** Those who wait for a node, whichever. */
  readonly #waiters = new Waiters();
  #endpoint: GatewayEndpoint | null = null;
  #onOpen!: (ready: Promise<void> | undefined) => void;
  #sessions = 0;

  constructor(sources: ClusterSources) {
    const { name, clock, expectServices } = sources.options;
    this.#sources = sources;
    this.table = new NodeTable(name, clock);
    this.expected = new ExpectedServices(expectServices);
    this.ready = new Promise<Promise<void> | undefined>((resolve) => {
      this.#onOpen = resolve;
    }).then((ready) => ready);
    // Whoever starts the gateway waits for it; a gateway that ends before has nobody who does.
    this.ready.catch(() => undefined);
  }

  /** Where nodes connect, where they have a port of their own. */
  get address(): GatewayEndpoint["address"] {
    return this.#endpoint?.address;
  }

  /** What nodes have pushed, and what was pulled. */
  pushed(): readonly PushedServiceStatus[] {
    return this.#sets.status();
  }

  /** Takes an upgrade request of the gateway's own server. @returns false where it is not for a node */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    return this.#endpoint?.upgrade?.(request, socket, head) ?? false;
  }

  /** Asks the config receiver in the name of a node, see `config/push.ts`. */
  ask(node: string, services: readonly string[], name: string, body: unknown): Promise<unknown> {
    return call(this.#receiver, "ask", { name, body, node, services }, { timeoutMs: "infinity" });
  }

  /** Resolves when the node can be called, at once if it can. @throws the error of {@link close} (as a rejection) */
  async whenUp(node: string): Promise<void> {
    while (!this.table.isUp(node)) await this.#waiters.wait();
  }

  /** The gateway has stopped: whoever waits for a node or for services waits in vain. */
  close(error: Error): void {
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
    const { nodeGraceMs } = this.#sources.options;
    return [
      childSpec({
        id: names.nodes,
        name: names.nodes,
        logic: fromSupervisor({
          children: [
            childSpec({
              id: names.nodeMonitor,
              name: names.nodeMonitor,
              logic: nodeMonitor,
              input: { table: this.table, nodeGraceMs },
            }),
            childSpec({
              id: names.nodeSessions,
              name: names.nodeSessions,
              logic: fromDynamicSupervisor({ maxChildren }),
            }),
            childSpec({ id: names.nodeTransport, name: names.nodeTransport, logic: this.#transport() }),
          ],
        }),
      }),
      this.#configSync(),
    ];
  }

  #transport(): ChildSpec["logic"] {
    const { cluster, name, clock, pushToken } = this.#sources.options;
    const host = this.#sessionHost();
    return fromResource(({ fail, whereis }) => {
      const connected = (pipe: Pipe): PipeReceiver => {
        const session = new NodeSession(pipe, host);
        startSession(whereis<SupervisorRef>(names.nodeSessions), `node_session_${++this.#sessions}`, session);
        return session.receiver;
      };
      const hasToken = pushToken !== undefined;
      const endpoint = cluster?.openGateway({ name, clock, random: Math.random, hasToken, connected, fail });
      this.#endpoint = endpoint ?? null;
      this.#onOpen(endpoint?.ready);
      // At the first start the receiver comes later, and looks by itself.
      cast(whereis<ConfigReceiverRef>(names.configReceiver), "sharedPushesOpened");
      return {
        close: () => {
          this.#endpoint = null;
          endpoint?.close();
        },
        formatStatus: () => ({ transport: cluster?.name ?? null, url: endpoint?.address?.url ?? null }),
      };
    });
  }

  #sessionHost(): NodeSessionHost {
    const { name, clock, pushToken, heartbeat, maxNodeRequestsInFlight } = this.#sources.options;
    const { table } = this;
    return {
      ...nodeSessionDefaults,
      gateway: name,
      clock,
      tokens: serviceTokens(pushToken),
      heartbeatMs: heartbeat.intervalMs,
      missed: heartbeat.missed,
      maxInFlight: maxNodeRequestsInFlight,
      nonce: randomNonce,
      admit: (identity) => table.admit(identity),
      refused: (peer, node, reason) => table.refused(peer, node, reason),
      leaving: () => table.leaving(),
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
    const { options, functions, compile, configCache } = this.#sources;
    const { name, clock, nodeGraceMs, pushableModules, serviceConfigs, pullInterval, pullTimeout } = options;
    const { maxFunctionsPerPush, maxConfigBytes } = options;
    const { configPuller, configReceiver } = names;
    return configSync(names.configSync, {
      gateway: name,
      names: { configPuller, configReceiver, configCache },
      sets: this.#sets,
      store: functions,
      expected: this.expected,
      failedConfigs: this.failedConfigs,
      pushableModules: new Set(pushableModules),
      limits: { ...pushDefaults, maxFunctions: maxFunctionsPerPush, maxConfigBytes },
      nodeGraceMs,
      serviceConfigs,
      pullIntervalMs: pullInterval,
      pullTimeoutMs: pullTimeout,
      random: Math.random,
      compile,
      withNodes: (entry, nodes) => withNodes(entry as CompiledFunction, nodes),
      isLive: (node, service) => this.table.isLive(node, service),
      resolveNodes: (nodes) => ("module" in nodes ? this.#resolve(nodes) : nodes),
      callNode: (node, service, mfa, limits) => callNode(this.table.get(node, service), mfa, limits, clock),
      sharedPushes: () => this.#endpoint?.sharedPushes,
    });
  }

  async #resolve(resolver: Mfa): Promise<readonly string[]> {
    // Those that may not run were refused with the options.
    const { run } = await loadFunction(allowedUrl(resolver, this.#sources.allowlist) ?? "", resolver.function);
    return (await run(...resolver.args)) as readonly string[];
  }

  get #receiver(): ConfigReceiverRef | undefined {
    return this.#sources.system().whereis<ConfigReceiverRef>(names.configReceiver);
  }
}
