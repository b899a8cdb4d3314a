import type { FunConfig } from "../config/fun-config.ts";
import type { RemoteNode } from "../node/calls/remote-call.ts";
import type { NodeSelector } from "../policy/selection/node-selector.ts";
import type { ChooseNodeMode, SelectedRequest } from "../policy/selection/select-node.ts";
import type { Executor } from "./attempt.ts";
import { type Failure, unavailable } from "./request/failure.ts";
import type { StreamExecutor } from "./stream-call.ts";

/** The service nodes that a gateway is connected to. */
export interface ConnectedNodes {
  /** The names, in the same order, of nodes that can take the service's calls now. */
  live(names: readonly string[], service: string): readonly string[];
  /** A node that can take the service's calls now. */
  get(name: string, service: string): RemoteNode | null;
}

/** Work that runs along a route: a call, or its permission question. */
export interface Routed {
  /** Begins on the route's current node; calls {@link Route.goElsewhere} when that fails. */
  start(): void;
}

/** Runs nothing, if there is no node any more. */
const nowhere: Executor & StreamExecutor = {
  run(attempt) {
    attempt.failed(unavailable, false);
    return { cancel: () => undefined };
  },
  stream(stream) {
    stream.failed(unavailable, false);
    return { cancel: () => undefined, grant: () => undefined, acknowledge: () => undefined };
  },
};

/** The way of one call to the nodes that may run its function: its current node, and those that have not taken it. */
export class Route {
  readonly #nodes: ConnectedNodes;
  readonly #selector: NodeSelector;
  readonly #service: string;
  readonly #mode: ChooseNodeMode;
  readonly #functionKey: string;
  readonly #request: SelectedRequest;
  #names: readonly string[] = [];
  #node: string | null = null;
  #first: string | null = null;
  /** Since the last selection; the first node takes most calls. */
  #tried: Set<string> | null = null;
  #isStarting = false;
  #startsAgain = false;

  constructor(
    nodes: ConnectedNodes,
    selector: NodeSelector,
    { service, chooseNodeMode }: Pick<FunConfig, "service" | "chooseNodeMode">,
    functionKey: string,
    request: SelectedRequest,
  ) {
    this.#nodes = nodes;
    this.#selector = selector;
    this.#service = service;
    this.#mode = chooseNodeMode;
    this.#functionKey = functionKey;
    this.#request = request;
  }

  /** Its current or last node; null before the first selection. */
  get node(): string | null {
    return this.#node;
  }

  /** Runs work on that node. */
  get executor(): Executor & StreamExecutor {
    return (this.#node === null ? null : this.#nodes.get(this.#node, this.#service)) ?? nowhere;
  }

  /**
   * Selects one of the live nodes, according to the function's `chooseNodeMode`.
   *
   * @param names the function's nodes
   * @returns false if none lives; the call then stays where it was
   */
  select(names: readonly string[]): boolean {
    const live = this.#nodes.live(names, this.#service);
    const node = this.#selector.select(this.#mode, this.#functionKey, live, this.#request);
    if (node === null) return false;
    this.#names = names;
    this.#first ??= node;
    this.#goTo(node);
    return true;
  }

  /** Returns to the node that was selected first. */
  restart(): void {
    this.#goTo(this.#first);
  }

  /** Starts work on the current node, and again on another node whenever one refuses it at once. */
  run(routed: Routed): void {
    // A loop, as any number of nodes may refuse at once.
    this.#isStarting = true;
    try {
      do {
        this.#startsAgain = false;
        routed.start();
      } while (this.#startsAgain);
    } finally {
      this.#isStarting = false;
    }
  }

  /**
   * After a failure of work that had certainly not begun: continues on another live node that was not tried since the
   * last selection. Not only if a node was unavailable: one that lacks the function (`internal`) says nothing about the
   * others, which may run another version of it.
   *
   * @returns false if the failure stands: no other node is left, or it has nothing to do with the node
   */
  goElsewhere(routed: Routed, failure: Failure): boolean {
    if ((failure.code !== "unavailable" && failure.code !== "internal") || this.#node === null) return false;
    this.#tried ??= new Set();
    const tried = this.#tried.add(this.#node);
    const others = this.#nodes.live(this.#names, this.#service).filter((name) => !tried.has(name));
    const other = this.#selector.selectOther(this.#mode, others, this.#request);
    if (other === null) return false;
    this.#node = other;
    if (this.#isStarting) this.#startsAgain = true;
    else this.run(routed);
    return true;
  }

  #goTo(node: string | null): void {
    this.#node = node;
    this.#tried = null;
  }
}
