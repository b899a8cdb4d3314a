import type { Linked } from "./linked-queue.ts";
import { ConnectionPart, IdentityPart } from "./parts.ts";
import { hostShare, type Share } from "./share.ts";

// At least this many idle identities are kept, because most of them come back with the next call.
const idleKept = 1_024;

/**
 * A fixed number of places, shared fairly. How many one may hold depends on how many are free (the dynamic thresholds
 * of Choudhury and Hahne): a connection and its identity together hold fewer places than are free. One connection can
 * thus get a third of all, one identity with many connections at most half, and n identities that take all they can get
 * the n-th part of n/(n + 1) each, so that places stay free for the next one. This needs no knowledge of future
 * callers, and takes nothing back.
 */
export class FairPlaces<Item extends Linked<Item>> {
  readonly max: number;
  readonly #connections = new WeakMap<Share, ConnectionPart<Item>>();
  readonly #identities = new Map<string, IdentityPart<Item>>();
  #taken = 0;
  #sweepAt = 2 * idleKept;

  constructor(max: number) {
    this.max = max;
  }

  /** Places in use. */
  get taken(): number {
    return this.#taken;
  }

  /** The part of a share's connection here. Use it at once; keep it only while it has a place or an item. */
  partOf(share: Share): ConnectionPart<Item> {
    const part = this.#connections.get(share);
    if (part === undefined) return this.#add(share);
    if (part.identity.isForgotten) part.identity = this.#identityOf(share);
    return part;
  }

  /** Whether a connection may take one more place. */
  mayTake({ held, identity }: ConnectionPart<Item>): boolean {
    const free = this.max - this.#taken;
    return identity.isHost ? free > 0 : held + identity.held < free;
  }

  /** Whether any connection of an identity may, namely one that holds no place. */
  mayTakeAny({ held, isHost }: IdentityPart<Item>): boolean {
    return isHost || held < this.max - this.#taken;
  }

  take(part: ConnectionPart<Item>): void {
    this.#taken++;
    part.held++;
    part.identity.held++;
  }

  release(part: ConnectionPart<Item>): void {
    this.#taken--;
    part.held--;
    part.identity.held--;
  }

  #add(share: Share): ConnectionPart<Item> {
    const part = new ConnectionPart<Item>(this.#identityOf(share));
    this.#connections.set(share, part);
    return part;
  }

  #identityOf(share: Share): IdentityPart<Item> {
    const known = this.#identities.get(share.identity);
    if (known !== undefined) return known;
    if (this.#identities.size >= this.#sweepAt) this.#forgetIdle();
    const identity = new IdentityPart<Item>(share === hostShare);
    this.#identities.set(share.identity, identity);
    return identity;
  }

  /** Runs only occasionally, because an identity with one call at a time would otherwise come and go with each call. */
  #forgetIdle(): void {
    for (const [name, identity] of this.#identities) {
      if (!identity.isIdle) continue;
      identity.isForgotten = true;
      this.#identities.delete(name);
    }
    this.#sweepAt = 2 * (this.#identities.size + idleKept);
  }
}
