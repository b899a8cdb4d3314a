import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairPlaces } from "../../../src/core/fair/fair-places.ts";
import { FairQueue, type Waiting } from "../../../src/core/fair/fair-queue.ts";
import type { ConnectionPart } from "../../../src/core/fair/parts.ts";
import { hostShare, type Share } from "../../../src/core/fair/share.ts";

interface Item extends Waiting<Item> {
  readonly share: Share;
  readonly number: number;
}

/** A pool that holds items until the test lets them go. */
class Pool {
  readonly places: FairPlaces<Item>;
  readonly queue: FairQueue<Item>;
  readonly held: Item[] = [];
  readonly waiting: Item[] = [];
  readonly refused: Item[] = [];
  readonly #maxWaiting: number;
  #number = 0;

  constructor(places: number, maxWaiting = Number.POSITIVE_INFINITY) {
    this.places = new FairPlaces(places);
    this.queue = new FairQueue(this.places);
    this.#maxWaiting = maxWaiting;
  }

  come(share: Share): Item {
    const part: ConnectionPart<Item> = this.places.partOf(share);
    const item: Item = { share, part, number: this.#number++, before: null, after: null };
    if (part.waiting === 0 && this.places.mayTake(part)) {
      this.#hold(item);
      return item;
    }
    this.queue.push(item);
    this.waiting.push(item);
    if (this.queue.size <= this.#maxWaiting) return item;
    const out = this.queue.pushOut(item);
    this.waiting.splice(this.waiting.indexOf(out), 1);
    this.refused.push(out);
    return item;
  }

  end(item: Item): Item | null {
    this.held.splice(this.held.indexOf(item), 1);
    this.places.release(item.part);
    return this.next();
  }

  next(): Item | null {
    const next = this.queue.next();
    if (next === null) return null;
    this.waiting.splice(this.waiting.indexOf(next), 1);
    this.#hold(next);
    return next;
  }

  giveUp(item: Item): void {
    this.waiting.splice(this.waiting.indexOf(item), 1);
    this.queue.remove(item);
  }

  of(items: readonly Item[], { identity, connection }: Partial<Share>): number {
    return items.filter(
      ({ share }) =>
        (identity === undefined || share.identity === identity) &&
        (connection === undefined || share.connection === connection),
    ).length;
  }

  #hold(item: Item): void {
    this.places.take(item.part);
    this.held.push(item);
  }
}

const clients: Share[] = [
  { identity: "a", connection: "a1" },
  { identity: "a", connection: "a2" },
  { identity: "a", connection: "a3" },
  { identity: "b", connection: "b1" },
  { identity: "b", connection: "b2" },
  { identity: "c", connection: "c1" },
];
const shares = [...clients, hostShare];

const step = fc.oneof(
  { weight: 4, arbitrary: fc.nat(shares.length - 1).map((who) => ({ come: shares[who] as Share })) },
  { weight: 2, arbitrary: fc.nat().map((which) => ({ end: which })) },
  { weight: 1, arbitrary: fc.nat().map((which) => ({ giveUp: which })) },
);

/** Whether one more place for `share` is within the thresholds, by counting. */
function fits(pool: Pool, places: number, share: Share): boolean {
  const free = places - pool.held.length;
  if (share === hostShare) return free > 0;
  const { identity, connection } = share;
  return pool.of(pool.held, { identity }) + pool.of(pool.held, { connection }) < free;
}

describe("a fair queue, whatever comes, ends and gives up", () => {
  test("keeps the thresholds, the order of each connection and its bound, and lets nobody wait who may have a place", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 8 }),
        (steps, places, maxWaiting) => {
          const pool = new Pool(places, maxWaiting);
          for (const what of steps) {
            const before = pool.held.length;
            if ("come" in what) {
              const fitted = fits(pool, places, what.come) && pool.of(pool.waiting, what.come) === 0;
              pool.come(what.come);
              expect(pool.held.length - before).toBe(fitted ? 1 : 0);
            } else if ("end" in what && before > 0) {
              const next = pool.end(pool.held[what.end % before] as Item);
              if (next !== null) {
                pool.held.pop();
                const alone = fits(pool, places, next.share);
                pool.held.push(next);
                expect(alone).toBe(true);
              }
            } else if ("giveUp" in what && pool.waiting.length > 0) {
              pool.giveUp(pool.waiting[what.giveUp % pool.waiting.length] as Item);
            }
            expect(pool.held.length).toBeLessThanOrEqual(places);
            expect(pool.places.taken).toBe(pool.held.length);
            expect(pool.queue.size).toBe(pool.waiting.length);
            expect(pool.waiting.length).toBeLessThanOrEqual(maxWaiting);
            const maybe = pool.waiting.filter(({ share }) => fits(pool, places, share));
            // One ending lets one in; a second may fit by then, and is let in at the next.
            if (maybe.length > 0) expect(pool.next()).not.toBeNull();
          }
          for (const client of shares) {
            const taken = pool.held.filter(({ share }) => share === client).map(({ number }) => number);
            const left = pool.waiting.filter(({ share }) => share === client).map(({ number }) => number);
            if (taken.length > 0 && left.length > 0) expect(Math.max(...taken)).toBeLessThan(Math.min(...left));
          }
        },
      ),
    );
  });

  test("lets everybody have a turn before anybody has the next", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 8 }), (counts) => {
        const pool = new Pool(1);
        pool.come(hostShare);
        for (const [who, count] of counts.entries()) {
          for (let i = 0; i < count; i++) pool.come({ identity: `u${who}`, connection: `c${who}.${i % 3}` });
        }
        const served = counts.map(() => 0);
        while (pool.waiting.length > 0) {
          const next = pool.end(pool.held[0] as Item) as Item;
          const who = Number(next.share.identity.slice(1));
          // Nobody who still waits has had fewer turns.
          const others = counts.flatMap((count, other) =>
            (served[other] as number) < count ? [served[other] as number] : [],
          );
          expect(served[who]).toBe(Math.min(...others));
          served[who] = (served[who] as number) + 1;
        }
        expect(served).toEqual(counts);
      }),
    );
  });
});

describe("the places of a pool of 1 000", () => {
  function flood(pool: Pool, flooding: readonly Share[]) {
    for (let i = 0; i < 1_000; i++) for (const share of flooding) pool.come(share);
  }

  test("go to one connection up to a third, to many connections of one identity up to a half", () => {
    const one = new Pool(1_000);
    flood(one, [clients[0] as Share]);
    expect(one.held.length).toBe(334);
    const many = new Pool(1_000);
    flood(
      many,
      Array.from({ length: 500 }, (_, i) => ({ identity: "a", connection: `a${i}` })),
    );
    expect(many.held.length).toBeGreaterThan(450);
    expect(many.held.length).toBeLessThanOrEqual(500);
  });

  test("are free for a newcomer beside ten that came one after the other and take all they can get", () => {
    const pool = new Pool(1_000);
    for (let who = 0; who < 10; who++) flood(pool, [{ identity: `u${who}`, connection: `c${who}` }]);
    for (let i = 0; i < 5; i++) expect(pool.held).toContain(pool.come({ identity: `n${i}`, connection: `n${i}` }));
  });

  test("go, when all are held, to whoever holds none, before those who hold some and came earlier", () => {
    const pool = new Pool(1_000);
    for (let who = 0; who < 100; who++) flood(pool, [{ identity: `u${who}`, connection: `c${who}` }]);
    expect(pool.held.length).toBe(1_000);
    const item = pool.come({ identity: "newcomer", connection: "n" });
    for (let served: Item | null = null; served !== item; ) {
      served = pool.end(pool.held[0] as Item);
      expect(pool.of(pool.held, { identity: (served as Item).share.identity })).toBe(1);
    }
  });

  test("all go to the host's own calls, if it wants them", () => {
    const pool = new Pool(1_000);
    flood(pool, [hostShare]);
    expect(pool.held.length).toBe(1_000);
  });
});

describe("a full queue", () => {
  const flooding = { identity: "flood", connection: "f" };
  const calm = { identity: "calm", connection: "c" };

  function full(maxWaiting: number): Pool {
    const pool = new Pool(1, maxWaiting);
    pool.come(hostShare);
    for (let i = 0; i < maxWaiting; i++) pool.come(flooding);
    return pool;
  }

  test("refuses the newest of who has most, not the newcomer", () => {
    const pool = full(10);
    const item = pool.come(calm);
    expect(pool.waiting).toContain(item);
    expect(pool.refused.map(({ share, number }) => [share.identity, number])).toEqual([["flood", 10]]);
  });

  test("refuses who has most himself, and within an identity the connection that has most", () => {
    const pool = full(10);
    const again = pool.come(flooding);
    expect(pool.refused).toEqual([again]);
    const second = pool.come({ identity: "flood", connection: "f2" });
    expect(pool.waiting).toContain(second);
    expect(pool.refused.map(({ share }) => share.connection)).toEqual(["f", "f"]);
  });

  test("is shared by two that flood it, half and half", () => {
    const pool = full(10);
    for (let i = 0; i < 20; i++) pool.come(calm);
    expect([pool.of(pool.waiting, flooding), pool.of(pool.waiting, calm)]).toEqual([5, 5]);
  });

  test("of one entry goes to who holds fewer places", () => {
    const pool = new Pool(4, 1);
    for (let i = 0; i < 3; i++) pool.come(flooding);
    expect(pool.of(pool.waiting, flooding)).toBe(1);
    pool.come(hostShare);
    pool.come(hostShare);
    const item = pool.come(calm);
    expect(pool.waiting).toEqual([item]);
  });

  test("never gives up what the host's program has waiting", () => {
    const pool = new Pool(1, 10);
    for (let i = 0; i < 11; i++) pool.come(hostShare);
    const item = pool.come(calm);
    expect(pool.refused).toEqual([item]);
  });
});

test("an identity that was forgotten while it had nothing is one again when two of its connections come back", () => {
  const places = new FairPlaces<Item>(10);
  const first = { identity: "a", connection: "a1" };
  const second = { identity: "a", connection: "a2" };
  places.partOf(first);
  const busy = places.partOf({ identity: "busy", connection: "b" });
  places.take(busy);
  for (let i = 0; i < 10_000; i++) places.partOf({ identity: `u${i}`, connection: `u${i}` });
  expect(places.partOf(second).identity).toBe(places.partOf(first).identity);
  expect(places.partOf({ identity: "busy", connection: "b2" }).identity).toBe(busy.identity);
});
