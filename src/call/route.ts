import type { FunConfig } from "../config/fun-config.ts";
import type { RemoteNode } from "../node/remote-call.ts";
import type { NodeSelector } from "../policy/node-selector.ts";
import type { ChooseNodeMode, SelectedRequest } from "../policy/selectors/select-node.ts";
import type { Executor } from "./attempt.ts";
import { type Failure, unavailable } from "./failure.ts";
import type { StreamExecutor } from "./stream-call.ts";

/** The service nodes that a gateway is connected to. */
export interface ConnectedNodes {
  /** Those of the names whose nodes may be given the service's calls now, in the same order. */
  live(names: readonly string[], service: string): readonly string[];
  /** A node that may be given the service's calls now. */
  get(name: string, service: string): RemoteNode | null;
}

/** What runs along a route: a call, or the question whether it is permitted. */
export interface Routed {
  /** Begins on the node where the route is now; asks {@link Route.goElsewhere} when that fails. */
  start(): void;
}

/** What runs where there is no node any more: nothing. */
const nowhere: Executor & StreamExecutor = {
  run(attempt) {
    attempt.failed(unavailable, false);
    return { cancel: () => undefined };
  },
  stream(stream) {
    stream.failed(unavailable, false);
    return { cancel: () => undefined, grant: () => undefined };
  },
};

/** The way of one call to the nodes that may run its function: which it goes to, and which have not taken it. */
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
  /** Since the last selection; most calls are taken by the first. */
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

  /** Where the call is, or was last; null before the first selection. */
  get node(): string | null {
    return this.#node;
  }

  /** Runs things on that node. */
  get executor(): Executor & StreamExecutor {
    return (this.#node === null ? null : this.#nodes.get(this.#node, this.#service)) ?? nowhere;
  }

  /**
   * Selects one of the live nodes, as the function's `chooseNodeMode` says.
   *
   * @param names the function's nodes
   * @returns false where none lives; the call stays where it was
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

  /** Back to the node that was selected at first. */
  restart(): void {
    this.#goTo(this.#first);
  }

  /** Starts something where the call is, and again on another node for each that refuses it meanwhile. */
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
   * After a failure of what had certainly not begun: goes on to another live node, one that was not tried since the last
   * selection. Not only where a node could not be had: one that lacks the function (`internal`) says nothing about the
   * others, which may run another version of it.
   *
   * @returns false where the failure stands: no other node is left, or it has nothing to do with the node
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
