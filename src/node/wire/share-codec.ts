import { hash } from "node:crypto";
import { hostShare, type Share } from "../../core/fair/share.ts";
import { maxCallsInFlight } from "./node-protocol.ts";

/** A share on its way to a node: a number for the identity and one for the connection; null for the host program's. */
export type PackedShare = readonly [identity: number, connection: number] | null;

/**
 * The numbers that a gateway uses for its clients' shares at one node. They show the node which calls belong together,
 * but not whose they are.
 */
export class ShareNumbers {
  readonly #salt: string;
  readonly #packed = new WeakMap<Share, PackedShare>();
  #connections = 0;

  /** @param salt a random text that clients do not know; otherwise one could choose a user id with another's number */
  constructor(salt: string) {
    this.#salt = salt;
  }

  pack(share: Share | undefined): PackedShare {
    if (share === undefined || share === hostShare) return null;
    return this.#packed.get(share) ?? this.#add(share);
  }

  #add(share: Share): PackedShare {
    // Two identities in four billion have the same number: they then share a single part.
    const identity = Number.parseInt(hash("sha256", this.#salt + share.identity, "hex").slice(0, 8), 16);
    const packed: PackedShare = [identity, this.#connections++];
    this.#packed.set(share, packed);
    return packed;
  }
}

/** The shares of one gateway's clients, at a node. */
export class SharesOfGateway {
  readonly #byConnection = new Map<number, Share>();

  /**
   * The share that {@link ShareNumbers} packed.
   *
   * @param gateway the gateway's name: numbers of two gateways are unrelated
   * @returns undefined for anything that it never packs
   */
  unpack(packed: unknown, gateway: string): Share | undefined {
    if (packed === null) return hostShare;
    if (!Array.isArray(packed) || packed.length !== 2) return undefined;
    const [identity, connection] = packed;
    if (!isCount(identity) || !isCount(connection)) return undefined;
    return this.#byConnection.get(connection) ?? this.#add(gateway, identity, connection);
  }

  #add(gateway: string, identity: number, connection: number): Share {
    // Forgets connections that are gone. A living one gets a second object, which does it no harm.
    if (this.#byConnection.size === maxCallsInFlight) this.#byConnection.clear();
    const share = { identity: `${gateway} ${identity}`, connection: `${gateway} ${connection}` };
    this.#byConnection.set(connection, share);
    return share;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
