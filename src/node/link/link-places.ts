import type { LinkRefusal } from "./admission.ts";

/** How many connections a gateway admits. */
export interface PlaceLimits {
  readonly maxConnections: number;
  readonly maxUnprovenPerAddress: number;
}

/** A connection with a place. */
export interface Placed {
  /** The key under which its address is counted, see `networkOf`. */
  readonly network: string;
  /** Whether it has proven its identity; this never reverts. */
  readonly isProven: boolean;
}

/** The places of connections to a gateway: a total number, and few for an address without proof of identity. */
export class LinkPlaces {
  readonly #limits: PlaceLimits;
  /** By address, the connections that were unproven when last checked. */
  readonly #unproven = new Map<string, Set<Placed>>();
  #taken = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Connections with a place. */
  get taken(): number {
    return this.#taken;
  }

  /** Why another connection from `network` gets no place; undefined if it gets one. */
  refusalOf(network: string): LinkRefusal | undefined {
    if (this.#taken >= this.#limits.maxConnections) return { status: 503, reason: "too many connections" };
    if (this.#countUnproven(network) < this.#limits.maxUnprovenPerAddress) return undefined;
    return { status: 429, reason: "too many unproven connections of this address" };
  }

  take(placed: Placed): void {
    this.#taken += 1;
    const unproven = this.#unproven.get(placed.network);
    if (unproven === undefined) this.#unproven.set(placed.network, new Set([placed]));
    else unproven.add(placed);
  }

  free(placed: Placed): void {
    this.#taken -= 1;
    this.#forget(placed);
  }

  #countUnproven(network: string): number {
    const unproven = this.#unproven.get(network);
    if (unproven === undefined) return 0;
    for (const placed of unproven) if (placed.isProven) this.#forget(placed);
    return unproven.size;
  }

  #forget(placed: Placed): void {
    const unproven = this.#unproven.get(placed.network);
    unproven?.delete(placed);
    if (unproven?.size === 0) this.#unproven.delete(placed.network);
  }
}
