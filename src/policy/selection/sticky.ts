import type { Clock } from "../../core/time/clock.ts";
import { murmurHash } from "./murmur-hash.ts";
import { rendezvousNode } from "./rendezvous.ts";

/** Bounds on what a {@link StickyTable} remembers. */
export interface StickyLimits {
  /** Milliseconds after its last use when a key is forgotten. @default 3_600_000 */
  readonly ttlMs: number;
  /** The most keys; beyond that, the least recently used one is forgotten. @default 100_000 */
  readonly maxKeys: number;
}

/** The defaults of {@link StickyLimits}. */
const defaultStickyLimits: StickyLimits = { ttlMs: 3_600_000, maxKeys: 100_000 };

/** The place of a key; linked to those used just before and after it. */
interface Placement {
  readonly functionKey: string;
  readonly key: string;
  node: string;
  usedAt: number;
  older: Placement | null;
  newer: Placement | null;
}

// Clients choose the keys: long ones are kept as hashes, so that the table stays small.
const longestKey = 256;

/**
 * Remembers the node of each key. A key stays with its node, even when nodes are added, until the node is gone or the
 * key is forgotten; a new key is placed by rendezvous hashing.
 */
export class StickyTable {
  readonly #clock: Clock;
  readonly #limits: StickyLimits;
  /** By function, then by key. */
  readonly #functions = new Map<string, Map<string, Placement>>();
  #size = 0;
  // By last use. The Map's own order would do, except that V8 walks over every deleted entry to find the first: 150 µs
  // a call with 100 000 keys, where this takes 1.
  #oldest: Placement | null = null;
  #newest: Placement | null = null;

  constructor(clock: Clock, limits: StickyLimits = defaultStickyLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The number of remembered keys, including expired ones that are not yet forgotten. */
  get size(): number {
    return this.#size;
  }

  /**
   * @param functionKey the key's function: functions with different nodes do not share places
   * @param nodes the live nodes; at least one
   */
  place(functionKey: string, key: string, nodes: readonly string[]): string {
    const now = this.#clock.now();
    const kept = shortened(key);
    let placement = this.#functions.get(functionKey)?.get(kept);
    if (placement === undefined) {
      placement = { functionKey, key: kept, node: rendezvousNode(nodes, key), usedAt: now, older: null, newer: null };
      this.#add(placement);
    } else {
      if (this.#isOver(placement, now) || !nodes.includes(placement.node)) placement.node = rendezvousNode(nodes, key);
      this.#unlink(placement);
    }
    this.#linkNewest(placement, now);
    this.#forgetOldest(now);
    return placement.node;
  }

  /**
   * The node where the key would be placed; remembers nothing.
   * @param nodes at least one
   */
  peek(functionKey: string, key: string, nodes: readonly string[]): string {
    const placement = this.#functions.get(functionKey)?.get(shortened(key));
    const holds = placement !== undefined && !this.#isOver(placement, this.#clock.now());
    return holds && nodes.includes(placement.node) ? placement.node : rendezvousNode(nodes, key);
  }

  /** Forgets every key of a function that is no longer registered. */
  forget(functionKey: string): void {
    for (const placement of this.#functions.get(functionKey)?.values() ?? []) this.#delete(placement);
  }

  /** Forgets everything. */
  clear(): void {
    this.#functions.clear();
    this.#size = 0;
    this.#oldest = null;
    this.#newest = null;
  }

  #add(placement: Placement): void {
    const { functionKey, key } = placement;
    const placements = this.#functions.get(functionKey);
    if (placements === undefined) this.#functions.set(functionKey, new Map([[key, placement]]));
    else placements.set(key, placement);
    this.#size++;
  }

  #delete(placement: Placement): void {
    const { functionKey, key } = placement;
    const placements = this.#functions.get(functionKey);
    placements?.delete(key);
    if (placements?.size === 0) this.#functions.delete(functionKey);
    this.#size--;
    this.#unlink(placement);
  }

  #isOver(placement: Placement, now: number): boolean {
    return now - placement.usedAt >= this.#limits.ttlMs;
  }

  /** At most two per call: more than are added, so the table shrinks, and no call pays for many others. */
  #forgetOldest(now: number): void {
    for (let most = 2; most > 0; most--) {
      const oldest = this.#oldest;
      if (oldest === null || (this.size <= this.#limits.maxKeys && !this.#isOver(oldest, now))) return;
      this.#delete(oldest);
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
