import type { Closed } from "../../actor/closed.ts";
import type { Inspection, InspectionObserver } from "../../actor/inspection/inspection.ts";
import { type SupervisorRef, startChild, terminateChild } from "../../actor/supervisor/supervisor-requests.ts";
import type { TreeNode } from "../../actor/supervisor/tree-node.ts";
import { type System, startSystem } from "../../actor/system.ts";
import { parseFunConfig } from "../../config/fun-config.ts";
import { libraryError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import { atMost } from "../../core/time/within.ts";
import { MainFunctions } from "../../execution/main-functions.ts";
import type { NodeSession } from "../../node/node-session.ts";
import type { ActorRef } from "../../otp/actor-ref.ts";
import { shareNames } from "../../otp/process-names.ts";
import type { ConfigPusher } from "../../sync/push/config-pusher.ts";
import type { PushOutcome, VerifyOutcome } from "../../sync/push/push.ts";
import { nodeActors } from "../options/actor-names.ts";
import { functionsOf, modulesOf } from "../options/given-functions.ts";
import type { Reloaded, ReloadOptions } from "../options/reload-options.ts";
import {
  type ResolvedServiceNodeOptions,
  resolveServiceNodeOptions,
  type ServiceNodeOptions,
  servicesOf,
} from "../options/service-node-options.ts";
import { checkStopOptions, type DrainTime } from "../options/stop-options.ts";
import { hostChildren, whereisChild } from "../program/host-children.ts";
import { takeName } from "../program/program-names.ts";
import { listed } from "../program/reload.ts";
import { Reloads } from "../program/reloads.ts";
import { startProgram } from "../program/start-program.ts";
import { WorkerPools } from "../program/worker-pools.ts";
import { builtInFunctions } from "./node-built-in.ts";
import { NodeFunctions } from "./node-functions.ts";
import { NodeSessions } from "./node-sessions.ts";
import { serviceNodeTree } from "./service-node-tree.ts";
import { pushersOf, StartupPush } from "./startup-push.ts";

/** One gateway's answer about one service. */
export interface FromGateway<Outcome> {
  /** The gateway's name. */
  readonly gateway: string;
  /** The service in question. */
  readonly service: string;
  /** The gateway's answer. */
  readonly outcome: Outcome;
}

/** A running service node. */
export interface ServiceNode extends AsyncDisposable {
  /** The node's name, as its gateways know it. */
  readonly name: string;
  /** Always resolves: with `{reason: "stopped"}`, or with the error that ended the tree. */
  readonly closed: Promise<Closed>;
  /** The names of the connected gateways. */
  readonly gateways: readonly string[];
  /**
   * Resolves when the node is connected to a gateway that has its functions (with `pushOnStartup: false`: to any
   * gateway); at once if it is. Rejects with a GenApiError `stopped` if the node stops first.
   */
  connected(): Promise<void>;
  /**
   * Pushes its functions to the connected gateways. The node pushes to gateways that connect later by itself.
   * @param options `force` pushes even if a gateway already has this version
   * @throws GenApiError `unavailable` without a gateway, or the error with which a gateway refused the whole push
   */
  push(options?: { readonly force?: boolean }): Promise<readonly FromGateway<PushOutcome>[]>;
  /**
   * Asks the gateways whether they have its functions at its version.
   * @throws GenApiError `unavailable`
   */
  verify(): Promise<readonly FromGateway<VerifyOutcome>[]>;
  /**
   * Imports the modules of a service's functions anew, while gateways stay connected and calls go on: new calls get the
   * new code, calls and streams that run end with the code they began with. See docs/reloading.md.
   *
   * @returns when new calls get the new code
   * @throws GenApiError with nothing changed: `module_unreadable`, `function_missing` or `invalid_config`, naming what is
   * wrong with the new code; `not_found` for a service that is not this node's; `unavailable` while too many earlier
   * versions still run calls, or the threads are not there; `stopped`
   */
  reload(service: string, options?: ReloadOptions): Promise<Reloaded>;
  /**
   * Finds the actor that is registered under `name` now, among the option `children` and what is below them. "children"
   * is the name of their supervisor. Hooks and functions on the main thread call `whereis` of `gen-api/otp` instead.
   */
  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined;
  /** The current supervision tree. */
  tree(): TreeNode;
  /**
   * Lets an XState inspection observer watch every actor: first those that exist, then every event.
   *
   * @returns a function that detaches the observer
   * @throws GenApiError `invalid_option`
   */
  inspect(inspection: InspectionObserver | Inspection): () => void;
  /**
   * Notifies the gateways, which then send no more calls, waits up to `drainMs` for running calls, and stops the tree.
   * Further calls wait for the same end.
   *
   * @throws GenApiError (as a rejection) `invalid_option` for an invalid `drainMs`; the node then keeps running
   */
  stop(options?: DrainTime): Promise<Closed>;
}

/**
 * Starts a service node.
 * @throws as {@link startServiceNode}
 */
export async function openServiceNode(options: ServiceNodeOptions): Promise<ServiceNode> {
  const resolved = resolveServiceNodeOptions(options);
  return startProgram(resolved.logger, () => new RunningNode(resolved));
}

// Time for gateways to learn that their calls have run out of time.
const partingMs = 300;

class RunningNode implements ServiceNode {
  readonly name: string;
  readonly closed: Promise<Closed>;
  readonly #options: ResolvedServiceNodeOptions;
  readonly #pools: WorkerPools;
  readonly #functions: NodeFunctions;
  readonly #reloads: Reloads;
  readonly #pushers: readonly ConfigPusher[];
  readonly #startupPush: StartupPush;
  readonly #sessions: NodeSessions;
  readonly #system: System;
  #stopping: Promise<Closed> | undefined;
  /** Detaches what was attached to the node. */
  readonly #detach: (() => void)[] = [];

  constructor(options: ResolvedServiceNodeOptions) {
    const { name, clock, mfaAllowlist, pushToken, cluster } = options;
    const mainFunctions = new MainFunctions(clock);
    this.name = name;
    this.#options = options;
    this.#pools = new WorkerPools(options);
    this.#pushers = pushersOf(options);
    this.#functions = new NodeFunctions({
      program: options,
      pools: this.#pools,
      mainFunctions,
      modules: modulesOf(options),
      mfaAllowlist,
      builtIn: builtInFunctions(this.#pushers),
    });
    this.#reloads = new Reloads(options, {
      pools: this.#pools,
      mainFunctions,
      uses: () => this.#functions.uses(),
      notHere: (service, known) => {
        const what = `The node ${name} runs no functions of ${quote(service)}`;
        return libraryError("not_found", `${what}; it can reload ${listed(known)}`);
      },
    });
    this.#startupPush = new StartupPush(name, this.#pushers, options.pushOnStartup, clock);
    this.#sessions = new NodeSessions({
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
      this.#closeReloads();
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
    // Last, so that no gateway meets an unfinished node.
    if (this.#options.children.length > 0) {
      await startChild(this.#system.root, hostChildren(this.#options.children));
      this.#detach.push(shareNames((name) => this.whereis(name)));
    }
    await this.#sessions.open(this.#system.root);
  }

  get gateways(): readonly string[] {
    return this.#sessions.sessions.map(({ gateway }) => gateway ?? "");
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

  reload(service: string, options?: ReloadOptions): Promise<Reloaded> {
    return this.#reloads.reload(service, options);
  }

  whereis<Ref extends ActorRef = ActorRef>(name: string): Ref | undefined {
    return whereisChild(this.#system, name) as Ref | undefined;
  }

  tree(): TreeNode {
    return this.#system.tree();
  }

  inspect(inspection: InspectionObserver | Inspection): () => void {
    return this.#system.inspect(inspection);
  }

  async stop(options: DrainTime = {}): Promise<Closed> {
    const { drainMs } = checkStopOptions(options);
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  /**
   * Asks all gateways in parallel, each about one service after another: a gateway accepts few pushes of a node at a
   * time.
   */
  async #askAll<Outcome>(
    ask: (pusher: ConfigPusher, session: NodeSession) => Promise<Outcome>,
  ): Promise<FromGateway<Outcome>[]> {
    const { sessions } = this.#sessions;
    if (sessions.length === 0) throw libraryError("unavailable", `The node ${this.name} is connected to no gateway`);
    const answers = sessions.map(async (session) => {
      const answered: PromiseSettledResult<FromGateway<Outcome>>[] = [];
      for (const pusher of this.#pushers) {
        const { service } = pusher;
        const asked = ask(pusher, session).then((outcome) => ({ gateway: session.gateway ?? "", service, outcome }));
        // A refused service must not keep the others from being asked about.
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
    this.#closeReloads();
    // Notify the gateways even without time to drain, so that they stop selecting this node.
    const left = this.#sessions.leave();
    await atMost(drainMs, left, clock);
    // Refuse calls that have not begun while there are sessions: gateways then send them to other nodes.
    this.#sessions.refuse();
    await atMost(partingMs, Promise.all([left, this.#end(this.#pools.spec.id)]), clock);
    await this.#end(nodeActors.transport);
    await this.#system.shutdown();
    return this.closed;
  }

  #closeReloads(): void {
    this.#reloads.close(libraryError("stopped", `The service node ${this.name} is stopping`));
  }

  async #end(child: string): Promise<void> {
    if (this.#system.whereis<SupervisorRef>(child) !== undefined) await terminateChild(this.#system.root, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
