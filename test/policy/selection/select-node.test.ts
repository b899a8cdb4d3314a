import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/time/clock.ts";
import { murmurHash } from "../../../src/policy/selection/murmur-hash.ts";
import { RoundRobin } from "../../../src/policy/selection/round-robin.ts";
import {
  type ChooseNodeMode,
  type SelectedRequest,
  type Selection,
  selectNode,
} from "../../../src/policy/selection/select-node.ts";
import { type StickyLimits, StickyTable } from "../../../src/policy/selection/sticky.ts";
import { collectGarbage } from "../../support/heap.ts";
import { seededRandom } from "./seeded-random.ts";

const nodesNamed = (count: number) =>
  Array.from({ length: count }, (_, index) => `users-${index + 1}@10.0.0.${index + 1}`);
const nobody: SelectedRequest = { requestId: "r", args: {}, userId: null, deviceId: null };

interface World extends Selection {
  now: number;
  select(
    mode: ChooseNodeMode,
    nodes: readonly string[],
    request?: Partial<SelectedRequest>,
    functionKey?: string,
  ): string | null;
}

function world(seed = 1, limits?: StickyLimits): World {
  const clock: Clock = {
    now: () => it.now,
    systemTime: () => it.now,
    setTimeout: () => 0,
    clearTimeout: () => undefined,
  };
  const it: World = {
    now: 0,
    random: seededRandom(seed),
    roundRobin: new RoundRobin(),
    sticky: new StickyTable(clock, limits),
    select: (mode, nodes, request, functionKey = "f") =>
      selectNode(mode, functionKey, nodes, { ...nobody, ...request }, it),
  };
  return it;
}

const keys = 100_000;

/** Keys as services have them: counted, random, and alike but for their end. */
const keyShapes: [string, (index: number, random: () => number) => string][] = [
  ["counted", (index) => `user_${index}`],
  ["random", (_, random) => `${random().toString(16)}${random().toString(16)}`],
  ["long and alike", (index) => `${"x".repeat(60)}${index}`],
];

function expectEven(counts: Map<string, number>, nodes: readonly string[], total: number) {
  for (const node of nodes) {
    const share = (counts.get(node) ?? 0) / (total / nodes.length);
    expect(share).toBeGreaterThan(0.95);
    expect(share).toBeLessThan(1.05);
  }
}

function counted(total: number, select: (index: number) => string | null): Map<string, number> {
  const counts = new Map<string, number>();
  for (let index = 0; index < total; index++) {
    const node = select(index)!;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

describe.each([3, 5, 10])("of %i nodes", (count) => {
  const nodes = nodesNamed(count);

  it("random takes each as often, within 5 % over 100 000 requests", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { select } = world(seed);
        expectEven(
          counted(keys, () => select("random", nodes)),
          nodes,
          keys,
        );
      }),
      { numRuns: 3 },
    );
  });

  it.each(keyShapes)("hash takes each as often, within 5 %% over 100 000 keys that are %s", (_, keyOf) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { select, random } = world(seed);
        expectEven(
          counted(keys, (index) => select("hash", nodes, { requestId: keyOf(index, random) })),
          nodes,
          keys,
        );
      }),
      { numRuns: 2 },
    );
  });

  it("hash moves only the keys of a node that goes, and spreads them over the rest", () => {
    fc.assert(
      fc.property(fc.nat(count - 1), fc.integer(), (gone, seed) => {
        const { select, random } = world(seed);
        const rest = nodes.filter((_, index) => index !== gone);
        const moved = new Map<string, number>();
        let total = 0;
        for (let index = 0; index < keys; index++) {
          const key = { args: { k: `${random()}` } };
          const before = select({ hash: "k" }, nodes, key);
          const after = select({ hash: "k" }, rest, key)!;
          if (before === nodes[gone]) {
            total++;
            moved.set(after, (moved.get(after) ?? 0) + 1);
          } else if (after !== before) expect.fail(`${key.args.k} moved from ${before} to ${after}`);
        }
        expect(total).toBeGreaterThan((keys / count) * 0.95);
        for (const node of rest) expect(moved.get(node) ?? 0).toBeGreaterThan((total / rest.length) * 0.85);
      }),
      { numRuns: 3 },
    );
  });

  it("hash does not care for the order of the nodes, not even of two whose names have the same hash", () => {
    const same = ["node-73096", "node-131808"];
    expect(murmurHash(same[0]!)).toBe(murmurHash(same[1]!));
    expect(world().select("hash", same, { requestId: "r" })).toBe(
      world().select("hash", same.toReversed(), { requestId: "r" }),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(nodes, { minLength: 1 }), fc.string({ minLength: 1 }), (some, requestId) => {
        const { select } = world();
        expect(select("hash", some, { requestId })).toBe(select("hash", some.toSorted(), { requestId }));
      }),
    );
  });

  it("sticky never moves 100 000 keys within their time while their nodes live, whatever others come and go", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(count - 1), (seed, flickers) => {
        const it = world(seed);
        const place = (index: number, live: readonly string[]) =>
          it.select({ sticky: "k" }, live, { args: { k: index } })!;
        // Where they are is not where hashing them now would place them.
        const early = nodes.slice(0, Math.ceil(count / 2));
        const places = Array.from({ length: keys }, (_, index) => place(index, early));
        const rest = nodes.filter((_, index) => index !== flickers);
        for (const live of [nodes, rest, nodes]) {
          it.now += 3_599_999;
          for (let index = 0; index < keys; index++) {
            const node = place(index, live);
            if (node === places[index]) continue;
            if (live.includes(places[index]!)) expect.fail(`${index} moved from ${places[index]} to ${node}`);
            places[index] = node;
          }
        }
        expect(it.sticky.size).toBe(keys);
      }),
      { numRuns: 2 },
    );
  });

  it("sticky forgets the least recently used of more than 100 000 keys, and no other", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), (seed, more) => {
        const it = world(seed);
        const place = (key: number, live: readonly string[]) => it.select({ sticky: "k" }, live, { args: { k: key } });
        const onFirst = nodes.slice(0, 1);
        for (let key = 0; key < keys; key++) place(key, onFirst);
        // Used once more, the first hundred are the most recent.
        for (let key = 0; key < 100; key++) place(key, onFirst);
        for (let key = keys; key < keys + more; key++) place(key, onFirst);
        expect(it.sticky.size).toBe(keys);
        const isKept = (key: number) => place(key, nodes) === nodes[0];
        // Looked at from the newest on, as a forgotten one that comes again makes another be forgotten.
        const oldest = 100 + more;
        for (const key of [...Array(100).keys(), oldest, oldest + 1, keys - 1, keys]) expect(isKept(key)).toBe(true);
        const elsewhere = (key: number) => it.select("hash", nodes, { requestId: String(key) });
        for (let key = oldest - 1; key >= 100; key--) expect(place(key, nodes)).toBe(elsewhere(key));
      }),
      { numRuns: 2 },
    );
  });

  it("round robin is exact for each function, however their calls mix", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("f", "g", "h"), { maxLength: 100 }), (calls) => {
        const { select } = world();
        const taken = new Map<string, string[]>();
        for (const name of calls) {
          const node = select("roundRobin", nodes, {}, name)!;
          taken.set(name, [...(taken.get(name) ?? []), node]);
        }
        for (const of of taken.values()) expect(of).toEqual(of.map((_, index) => nodes[index % count]));
      }),
    );
  });
});

describe("sticky", () => {
  const ttlMs = 1_000;
  const maxKeys = 4;

  it("agrees with a list of keys by last use, whatever happens to nodes and time", () => {
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.record({ call: fc.constantFrom("a", "b", "c", "d", "e", "f") }) },
      { weight: 2, arbitrary: fc.record({ waitMs: fc.constantFrom(1, 300, 999, 1_000, 5_000) }) },
      { weight: 2, arbitrary: fc.record({ live: fc.subarray(nodesNamed(4), { minLength: 1 }) }) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        const it = world(1, { ttlMs, maxKeys });
        let live = nodesNamed(4);
        let model: { key: string; node: string; usedAt: number }[] = [];
        for (const each of events) {
          if ("waitMs" in each) it.now += each.waitMs;
          else if ("live" in each) live = each.live;
          else {
            const node = it.select({ sticky: "k" }, live, { args: { k: each.call } })!;
            const known = model.find(({ key, usedAt }) => key === each.call && it.now - usedAt < ttlMs);
            if (known !== undefined && live.includes(known.node)) expect(node).toBe(known.node);
            else expect(node).toBe(it.select("hash", live, { requestId: each.call }));
            model = [...model.filter(({ key }) => key !== each.call), { key: each.call, node, usedAt: it.now }].slice(
              -maxKeys,
            );
            expect(it.sticky.size).toBeLessThanOrEqual(maxKeys);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("stays when nodes come, and moves when its node goes", () => {
    const { select } = world();
    const of = (nodes: readonly string[]) => select({ sticky: "k" }, nodes, { args: { k: "key" } });
    const ten = nodesNamed(10);
    expect(of(ten.slice(0, 1))).toBe(ten[0]);
    expect(of(ten)).toBe(ten[0]);
    const moved = of(ten.slice(1));
    expect(moved).not.toBe(ten[0]);
    expect(of(ten)).toBe(moved);
  });

  it("stays for as long as it is used again in time", () => {
    const it = world(1, { ttlMs, maxKeys });
    const of = (key: string, nodes: readonly string[]) => it.select({ sticky: "k" }, nodes, { args: { k: key } });
    const ten = nodesNamed(10);
    const elsewhere = ten.find((node) => node !== it.select("hash", ten, { requestId: "key" }))!;
    of("key", [elsewhere]);
    for (let use = 0; use < 10; use++) {
      it.now += ttlMs - 1;
      expect(of("key", ten)).toBe(elsewhere);
    }
    it.now += ttlMs;
    expect(of("key", ten)).toBe(it.select("hash", ten, { requestId: "key" }));
  });

  it("keeps functions apart", () => {
    const { select } = world();
    const request = { args: { k: "key" } };
    expect(select({ sticky: "k" }, ["a"], request, "f")).toBe("a");
    expect(select({ sticky: "k" }, ["b"], request, "g")).toBe("b");
    expect(select({ sticky: "k" }, ["a", "b"], request, "f")).toBe("a");
    expect(select({ sticky: "k" }, ["a", "b"], request, "g")).toBe("b");
  });

  it("goes by the connection's user or device where it says so, not by an argument of that name", () => {
    const { select } = world();
    const one = { args: { userId: "x", deviceId: "x" }, userId: "u1", deviceId: "d1" };
    expect(select({ sticky: "userId" }, ["a"], one)).toBe("a");
    const other = { args: { userId: "u1" }, userId: "u1" };
    expect(select({ sticky: "userId" }, ["a", "b"], other)).toBe("a");
    expect(select({ sticky: "deviceId" }, ["c"], one)).toBe("c");
    expect(select({ sticky: "deviceId" }, ["c", "d", "e", "f", "g", "h"], { deviceId: "d1" })).toBe("c");
  });

  it("takes little room, however long clients make their keys", () => {
    const it = world(1, { ttlMs, maxKeys: 1_000 });
    const nodes = nodesNamed(10);
    const of = (index: number, among: readonly string[]) =>
      it.select({ sticky: "k" }, among, { args: { k: Buffer.alloc(100_000, `${index} `).toString("latin1") } });
    collectGarbage();
    const heapBefore = process.memoryUsage().heapUsed;
    const first = of(0, nodes.slice(0, 1));
    for (let index = 1; index < 1_000; index++) of(index, nodes);
    collectGarbage();
    expect(it.sticky.size).toBe(1_000);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(10_000_000);
    expect(of(0, nodes)).toBe(first);
  });

  it("gives room back: a table of keys that are over shrinks as others come", () => {
    const it = world(1, { ttlMs, maxKeys: 1_000 });
    for (let index = 0; index < 1_000; index++) it.select({ sticky: "k" }, ["a"], { args: { k: index } });
    it.now += ttlMs;
    for (let index = 0; index < 600; index++) it.select({ sticky: "k" }, ["a"], { args: { k: `new ${index}` } });
    expect(it.sticky.size).toBe(600);
  });
});

describe("a key", () => {
  const nodes = nodesNamed(10);

  it.each([undefined, null, "", Number.NaN, Number.POSITIVE_INFINITY, [], {}, ["a"]])(
    "that is %j is none: the node is random",
    (value) => {
      for (const mode of [{ hash: "k" }, { sticky: "k" }]) {
        const it = world();
        const taken = new Set(Array.from({ length: 200 }, () => it.select(mode, nodes, { args: { k: value } })));
        expect(taken.size).toBe(10);
        expect(it.sticky.size).toBe(0);
      }
    },
  );

  it("is missing where objects only inherit it", () => {
    const { select } = world();
    const taken = new Set(Array.from({ length: 200 }, () => select({ hash: "toString" }, nodes, { args: {} })));
    expect(taken.size).toBe(10);
  });

  it("may be a number or a boolean", () => {
    const { select } = world();
    for (const value of [0, 1.5, true, false]) {
      const taken = new Set(Array.from({ length: 50 }, () => select({ hash: "k" }, nodes, { args: { k: value } })));
      expect(taken.size).toBe(1);
    }
  });

  it("of a sticky user is missing for nobody", () => {
    const { select } = world();
    expect(new Set(Array.from({ length: 200 }, () => select({ sticky: "userId" }, nodes))).size).toBe(10);
  });
});

it("selects nothing where no node lives", () => {
  for (const mode of ["random", "hash", "roundRobin", { hash: "k" }, { sticky: "k" }] as const) {
    expect(world().select(mode, [])).toBe(null);
  }
});

it("round robin goes on in range when its list gets shorter, and starts over when forgotten", () => {
  const { select, roundRobin } = world();
  for (let turn = 0; turn < 3; turn++) select("roundRobin", ["a", "b", "c", "d"]);
  expect(select("roundRobin", ["a", "b"])).toBe("b");
  roundRobin.forget("f");
  expect(select("roundRobin", ["a", "b"])).toBe("a");
});
