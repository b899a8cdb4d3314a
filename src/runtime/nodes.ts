import type { FailedConfigs } from "../config/failed-configs.ts";
import type { NodeStatus } from "../node/node-table.ts";
import type { Cluster } from "./cluster.ts";

/** The service nodes of a gateway. */
export class Nodes {
  readonly #cluster: Cluster;

  /** @internal */
  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Where nodes connect, where they have a port of their own: what a node's `link({ gateways: [url] })` takes. */
  get address(): { readonly host: string; readonly port: number; readonly url: string } | undefined {
    return this.#cluster.address;
  }

  /** The services of `expectServices` that no node has pushed yet, and none was pulled from. */
  get missingServices(): readonly string[] {
    return this.#cluster.expected.missing();
  }

  /**
   * Resolves when every service of `expectServices` has been pushed or pulled, at once if they have. Rejects with a
   * GenApiError `stopped` when the gateway stops before.
   */
  servicesReady(): Promise<void> {
    return this.#cluster.expected.allArrived();
  }

  /** FunConfigs of nodes that were refused, the last 1 000. */
  get failedConfigs(): Pick<FailedConfigs, "list" | "summary" | "clear"> {
    return this.#cluster.failedConfigs;
  }

  /** Every node that is known; those that went until they are forgotten. */
  list(): readonly NodeStatus[] {
    return this.#cluster.table.list();
  }

  /**
   * Resolves when the node is connected, at once if it is. Rejects with a GenApiError `stopped` when the gateway stops
   * before.
   */
  whenUp(node: string): Promise<void> {
    return this.#cluster.whenUp(node);
  }
}
