import type { Refusal } from "./admission.ts";

/** How many connections a gateway lets in. */
export interface PlaceLimits {
  readonly maxConnections: number;
  readonly maxUnprovenPerAddress: number;
}

/** A connection that has a place. */
export interface Placed {
  readonly address: string;
  /** Whether it has proven who it is; once it has, that stays. */
  readonly isProven: boolean;
}

/** The places that connections to a gateway have: so many in all, and few for an address that has proven nothing. */
export class LinkPlaces {
  readonly #limits: PlaceLimits;
  /** Of each address those that had not proven who they are when it was last looked at. */
  readonly #unproven = new Map<string, Set<Placed>>();
  #taken = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Connections that have a place. */
  get taken(): number {
    return this.#taken;
  }

  /** Why another connection from `address` has no place; undefined where it has one. */
  refusalOf(address: string): Refusal | undefined {
    if (this.#taken >= this.#limits.maxConnections) return { status: 503, reason: "too many connections" };
    if (this.#countUnproven(address) < this.#limits.maxUnprovenPerAddress) return undefined;
    return { status: 429, reason: "too many connections of this address that have not proven who they are" };
  }

  take(placed: Placed): void {
    this.#taken += 1;
    const unproven = this.#unproven.get(placed.address);
    if (unproven === undefined) this.#unproven.set(placed.address, new Set([placed]));
    else unproven.add(placed);
  }

  free(placed: Placed): void {
    this.#taken -= 1;
    this.#forget(placed);
  }

  #countUnproven(address: string): number {
    const unproven = this.#unproven.get(address);
    if (unproven === undefined) return 0;
    for (const placed of unproven) if (placed.isProven) this.#forget(placed);
    return unproven.size;
  }

  #forget(placed: Placed): void {
    const unproven = this.#unproven.get(placed.address);
    unproven?.delete(placed);
    if (unproven?.size === 0) this.#unproven.delete(placed.address);
  }
}
