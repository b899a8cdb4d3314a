import { refuseArgument } from "../../core/faults.ts";
import type { NodeStatus } from "../../node/node-table.ts";
import type { FailedConfigs } from "../../sync/push/failed-configs.ts";

/** The parts of the gateway that {@link Nodes} reads. */
export interface NodesDeps {
  readonly address: { readonly host: string; readonly port: number; readonly url: string } | undefined;
  readonly expected: { missing(): readonly string[]; allArrived(): Promise<void> };
  readonly failedConfigs: FailedConfigs;
  readonly table: { list(): readonly NodeStatus[] };
  whenUp(node: string): Promise<void>;
}

/** The service nodes of a gateway. */
export class Nodes {
  readonly #deps: NodesDeps;

  /** @internal */
  constructor(deps: NodesDeps) {
    this.#deps = deps;
  }

  /**
   * The address for nodes, if they have a port of their own: its URL belongs in a node's `link({ gateways: [url] })`.
   */
  get address(): NodesDeps["address"] {
    return this.#deps.address;
  }

  /** The services of `expectServices` that have no functions, or no nodes for longer than `nodeGraceMs`. */
  get missingServices(): readonly string[] {
    return this.#deps.expected.missing();
  }

  /**
   * Resolves when every service of `expectServices` has functions, pushed or pulled; at once if they do. Rejects with a
   * GenApiError `stopped` if the gateway stops first.
   */
  servicesReady(): Promise<void> {
    return this.#deps.expected.allArrived();
  }

  /** The last 1 000 refused FunConfigs of nodes. */
  get failedConfigs(): Pick<FailedConfigs, "list" | "summary" | "clear"> {
    return this.#deps.failedConfigs;
  }

  /** Every known node, including gone ones that are not forgotten yet. */
  list(): readonly NodeStatus[] {
    return this.#deps.table.list();
  }

  /**
   * Resolves when the node is connected; at once if it is. Rejects with a GenApiError `stopped` if the gateway stops
   * first.
   */
  async whenUp(node: string): Promise<void> {
    refuseArgument("nodes.whenUp", "node", node, typeof node === "string", "the name of a node");
    return this.#deps.whenUp(node);
  }
}
