import type { Clock } from "../../core/clock.ts";
import { murmurHash } from "./murmur-hash.ts";
import { rendezvousNode } from "./rendezvous.ts";

/** How much a {@link StickyTable} remembers. */
export interface StickyLimits {
  /** Milliseconds from its last use after which a key is forgotten. @default 3_600_000 */
  readonly ttlMs: number;
  /** The most keys; beyond, the least recently used one is forgotten. @default 100_000 */
  readonly maxKeys: number;
}

/** The defaults of {@link StickyLimits}. */
const defaultStickyLimits: StickyLimits = { ttlMs: 3_600_000, maxKeys: 100_000 };

/** Where a key was placed; linked to those used just before and after it. */
interface Placement {
  readonly name: string;
  node: string;
  usedAt: number;
  older: Placement | null;
  newer: Placement | null;
}

// Clients choose the keys: a long one is remembered by its hashes, so that the table stays small.
const longestKey = 256;

/**
 * Remembers which node each key went to. A key stays with its node, though nodes come, until the node is gone or the
 * key is forgotten; a new one is placed by rendezvous hashing.
 */
export class StickyTable {
  readonly #clock: Clock;
  readonly #limits: StickyLimits;
  readonly #placements = new Map<string, Placement>();
  // By last use. The Map's own order would do, were it not that V8 walks over every deleted entry to find the first:
  // 150 µs a call with 100 000 keys, where this takes 1.
  #oldest: Placement | null = null;
  #newest: Placement | null = null;

  constructor(clock: Clock, limits: StickyLimits = defaultStickyLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How many keys are remembered, some of them perhaps about to be forgotten. */
  get size(): number {
    return this.#placements.size;
  }

  /**
   * @param functionKey whose key it is: functions with different nodes do not share places
   * @param nodes those that live; at least one
   */
  place(functionKey: string, key: string, nodes: readonly string[]): string {
    const now = this.#clock.now();
    const name = `${functionKey}\0${shortened(key)}`;
    let placement = this.#placements.get(name);
    if (placement === undefined) {
      placement = { name, node: rendezvousNode(nodes, key), usedAt: now, older: null, newer: null };
      this.#placements.set(name, placement);
    } else {
      if (this.#isOver(placement, now) || !nodes.includes(placement.node)) placement.node = rendezvousNode(nodes, key);
      this.#unlink(placement);
    }
    this.#linkNewest(placement, now);
    this.#forgetOldest(now);
    return placement.node;
  }

  #isOver(placement: Placement, now: number): boolean {
    return now - placement.usedAt >= this.#limits.ttlMs;
  }

  /** At most two a call: more than come in, so the table shrinks, and no call pays for an hour of others. */
  #forgetOldest(now: number): void {
    for (let most = 2; most > 0; most--) {
      const oldest = this.#oldest;
      if (oldest === null || (this.size <= this.#limits.maxKeys && !this.#isOver(oldest, now))) return;
      this.#unlink(oldest);
      this.#placements.delete(oldest.name);
    }
  }

  #unlink({ older, newer }: Placement): void {
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
  }

  #linkNewest(placement: Placement, now: number): void {
    placement.usedAt = now;
    placement.older = this.#newest;
    placement.newer = null;
    if (this.#newest === null) this.#oldest = placement;
    else this.#newest.newer = placement;
    this.#newest = placement;
  }
}

function shortened(key: string): string {
  return key.length <= longestKey ? key : `${key.length}:${murmurHash(key)}:${murmurHash(key, 1)}`;
}
