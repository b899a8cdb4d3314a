import type { Closed } from "../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../actor/inspection.ts";
import { type SupervisorRef, terminateChild } from "../actor/supervisor-requests.ts";
import { type System, startSystem } from "../actor/system.ts";
import type { TreeNode } from "../actor/tree-node.ts";
import type { ConfigPusher } from "../config/config-pusher.ts";
import { parseFunConfig } from "../config/fun-config.ts";
import type { PushOutcome, VerifyOutcome } from "../config/push.ts";
import { libraryError } from "../core/errors.ts";
import { atMost } from "../core/within.ts";
import type { GatewaySession } from "../node/gateway-session.ts";
import { type Telemetry, telemetry } from "../telemetry/telemetry-api.ts";
import { Gateways } from "./gateways.ts";
import { functionsOf, modulesOf } from "./modules.ts";
import { builtInFunctions } from "./node-built-in.ts";
import { NodeFunctions } from "./node-functions.ts";
import { takeName } from "./program-names.ts";
import {
  type ResolvedServiceNodeOptions,
  resolveServiceNodeOptions,
  type ServiceNodeOptions,
  servicesOf,
} from "./service-node-options.ts";
import { names, serviceNodeTree } from "./service-node-tree.ts";
import { startProgram } from "./start-program.ts";
import { pushersOf, StartupPush } from "./startup-push.ts";
import { WorkerPools } from "./worker-pools.ts";

/** What one gateway answered about one service. */
export interface FromGateway<Outcome> {
  /** The gateway's name. */
  readonly gateway: string;
  /** The service that it was asked about. */
  readonly service: string;
  /** What it answered. */
  readonly outcome: Outcome;
}

/** A running service node. */
export interface ServiceNode extends AsyncDisposable {
  /** The node's name, as its gateways know it. */
  readonly name: string;
  /** Listens to every gateway and service node of this process: the same as the package's `telemetry`. */
  readonly telemetry: Telemetry;
  /** Always resolves: `{reason: "stopped"}`, or with the error that ended the tree. */
  readonly closed: Promise<Closed>;
  /** The names of the gateways that it is connected to. */
  readonly gateways: readonly string[];
  /**
   * Resolves when it is connected to a gateway that has its functions (with `pushOnStartup: false`: to any gateway), at
   * once if it is. Rejects with a GenApiError `stopped` when the node stops before.
   */
  connected(): Promise<void>;
  /**
   * Pushes its functions to the gateways that it is connected to; to those that it reaches later it pushes by itself.
   * @param options `force` pushes though a gateway has this version already
   * @throws GenApiError `unavailable` without a gateway, and what a gateway refused the whole push with
   */
  push(options?: { readonly force?: boolean }): Promise<readonly FromGateway<PushOutcome>[]>;
  /** Asks the gateways whether they have its functions at its version. @throws GenApiError `unavailable` */
  verify(): Promise<readonly FromGateway<VerifyOutcome>[]>;
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
   * Takes its leave of the gateways, which send it no more calls, waits up to `drainMs` (default 0) for those that run,
   * and stops the tree. Stopping again waits for the same end.
   */
  stop(options?: { readonly drainMs?: number }): Promise<Closed>;
}

/** Starts a service node. @throws as {@link startServiceNode} */
export async function openServiceNode(options: ServiceNodeOptions): Promise<ServiceNode> {
  const resolved = resolveServiceNodeOptions(options);
  return startProgram(resolved.logger, () => new RunningNode(resolved));
}

class RunningNode implements ServiceNode {
  readonly name: string;
  readonly telemetry = telemetry;
  readonly closed: Promise<Closed>;
  readonly #options: ResolvedServiceNodeOptions;
  readonly #pools: WorkerPools;
  readonly #functions: NodeFunctions;
  readonly #pushers: readonly ConfigPusher[];
  readonly #startupPush: StartupPush;
  readonly #gateways: Gateways;
  readonly #system: System;
  #stopping: Promise<Closed> | undefined;
  /** Of what was attached to it. */
  readonly #detach: (() => void)[] = [];

  constructor(options: ResolvedServiceNodeOptions) {
    const { name, clock, mfaAllowlist, pushToken, cluster } = options;
    this.name = name;
    this.#options = options;
    this.#pools = new WorkerPools(options);
    this.#pushers = pushersOf(options);
    this.#functions = new NodeFunctions({
      program: options,
      pools: this.#pools,
      modules: modulesOf(options),
      mfaAllowlist,
      builtIn: builtInFunctions(this.#pushers),
    });
    this.#startupPush = new StartupPush(name, this.#pushers, options.pushOnStartup, clock);
    this.#gateways = new Gateways({
      node: name,
      services: servicesOf(options),
      token: pushToken ?? null,
      clock,
      transport: cluster,
      executor: this.#functions,
      up: (session) => this.#startupPush.gatewayUp(session),
      down: (session) => this.#startupPush.gatewayDown(session),
    });
    this.#system = startSystem({
      name: "gen_api_node",
      program: name,
      clock,
      intensity: options.intensity,
      children: serviceNodeTree({ workerPools: this.#pools.spec }),
      ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
    });
    this.closed = this.#system.closed.then(async (closed) => {
      this.#startupPush.close(libraryError("stopped", `The service node ${name} has stopped`));
      await this.#pools.closed();
      for (const detach of this.#detach) detach();
      return closed;
    });
  }

  async start(): Promise<void> {
    const { tracing } = this.#options;
    this.#detach.push(takeName(this.name, tracing !== undefined));
    if (tracing !== undefined) this.#detach.push(tracing.attach(this.name));
    const configs = functionsOf(this.#options).map((input) => parseFunConfig(input));
    await Promise.all(configs.map((config) => this.#functions.add(config)));
    // Last: no gateway meets half a node.
    await this.#gateways.open(this.#system.root);
  }

  get gateways(): readonly string[] {
    return this.#gateways.sessions.map(({ gateway }) => gateway ?? "");
  }

  connected(): Promise<void> {
    return this.#startupPush.known();
  }

  push(options: { readonly force?: boolean } = {}): Promise<readonly FromGateway<PushOutcome>[]> {
    return this.#askAll((pusher, session) => this.#startupPush.push(pusher, session, options));
  }

  verify(): Promise<readonly FromGateway<VerifyOutcome>[]> {
    return this.#askAll((pusher, session) => pusher.verify((name, body) => session.ask(name, body)));
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

  /** Asks all gateways at once, each for one service after another: a gateway takes few pushes of a node at a time. */
  async #askAll<Outcome>(
    ask: (pusher: ConfigPusher, session: GatewaySession) => Promise<Outcome>,
  ): Promise<FromGateway<Outcome>[]> {
    const { sessions } = this.#gateways;
    if (sessions.length === 0) throw libraryError("unavailable", `The node ${this.name} is connected to no gateway`);
    const answers = sessions.map(async (session) => {
      const answered: PromiseSettledResult<FromGateway<Outcome>>[] = [];
      for (const pusher of this.#pushers) {
        const { service } = pusher;
        const asked = ask(pusher, session).then((outcome) => ({ gateway: session.gateway ?? "", service, outcome }));
        // A service that is refused keeps no other from being asked for.
        answered.push(...(await Promise.allSettled([asked])));
      }
      return answered;
    });
    return (await Promise.all(answers)).flat().map((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
  }

  async #stop(drainMs: number): Promise<Closed> {
    const { clock } = this.#options;
    this.#startupPush.stop();
    // Even without time to drain the gateways are told: they select this node no more.
    await atMost(drainMs, this.#gateways.leave(), clock);
    if (this.#system.whereis<SupervisorRef>(names.transport) !== undefined) {
      await terminateChild(this.#system.root, names.transport);
    }
    await this.#system.shutdown();
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
