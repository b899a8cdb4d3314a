import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashOf, RateLimitIndex } from "../../../src/policy/rate-limiter/rate-limit-index.ts";
import type { WindowKey } from "../../../src/policy/rate-limiter/rate-limit-key.ts";

/** An index beside a Map, which both must agree in. */
function start(hash: (key: WindowKey) => number = hashOf) {
  const keys: WindowKey[] = [""];
  const index = new RateLimitIndex((window) => keys[window]);
  const model = new Map<WindowKey, number>();
  const add = (key: WindowKey) => {
    if (model.has(key)) return;
    model.set(key, keys.length);
    index.add(hash(key), keys.length);
    keys.push(key);
  };
  const remove = (key: WindowKey) => {
    const window = model.get(key);
    if (window === undefined) return;
    index.delete(hash(key), window);
    model.delete(key);
  };
  const get = (key: WindowKey) => index.get(key, hash(key));
  return { add, remove, get, model };
}

const sha256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
const anyKey = fc.oneof(fc.string(), fc.nat(20), fc.double({ noNaN: true }), sha256, fc.constantFrom(0, -0, -1n, 1n));

describe("the index of a limit's keys", () => {
  const hashes: Record<string, (key: WindowKey) => number> = {
    "its own hash": hashOf,
    "one hash for all keys": () => 7,
    "few hashes, the last place of a segment among them": (key) => hashOf(key) | 0x00fffffc,
    "few segments": (key) => hashOf(key) & 0x01ffffff,
  };
  for (const [name, hash] of Object.entries(hashes)) {
    test(`finds what a Map finds, whatever was added and removed: ${name}`, () => {
      const steps = fc.array(fc.tuple(fc.nat(), fc.boolean()), { size: "max", maxLength: 300 });
      const pool = fc.uniqueArray(anyKey, { minLength: 1, maxLength: 60, comparator: "SameValueZero" });
      fc.assert(
        fc.property(pool, steps, (keys, steps) => {
          const { add, remove, get, model } = start(hash);
          for (const [place, adds] of steps) {
            const key = keys[place % keys.length] as WindowKey;
            if (adds) add(key);
            else remove(key);
          }
          for (const key of keys) expect(get(key)).toBe(model.get(key) ?? 0);
        }),
      );
    });
  }

  test("grows to a hundred thousand keys and shrinks to none, and finds those that are left at each size", () => {
    const { add, remove, get, model } = start();
    const keys = Array.from({ length: 100_000 }, (_, at) => (at % 2 === 0 ? at : `key ${at}`));
    for (const key of keys) add(key);
    expect(keys.filter((key) => get(key) !== model.get(key))).toEqual([]);
    for (let left = keys.length; left > 0; left = Math.floor(left / 2)) {
      for (const key of keys.slice(Math.floor(left / 2), left)) remove(key);
      expect(keys.filter((key) => get(key) !== (model.get(key) ?? 0))).toEqual([]);
    }
    expect(model.size).toBe(0);
  });

  test("takes 0 and -0 as one key; a number, its text and its bigint as three", () => {
    const { add, get } = start(() => 0);
    for (const key of [0, "0", 0n]) add(key);
    expect([get(-0), get(0), get("0"), get(0n)]).toEqual([1, 1, 2, 3]);
    expect(hashOf(-0)).toBe(hashOf(0));
  });
});

describe("the hash of a key", () => {
  const count = 20_000;
  const kinds: Record<string, (at: number) => WindowKey> = {
    "whole numbers": (at) => at,
    "numbers whose lower bits are all alike": (at) => at * 2 ** 40,
    fractions: (at) => at / 2 ** 30,
    "IPv6 networks": (at) => `2001:db8:${(at >> 8).toString(16)}:${(at & 255).toString(16)}::/64`,
    "mail addresses": (at) => `user${at}@example.com`,
    "SHA-256 hashes that agree in their lower half": (at) => BigInt(at) << 128n,
  };
  for (const [name, keyAt] of Object.entries(kinds)) {
    test(`spreads ${name} evenly over the segments and their places`, () => {
      const hashes = Array.from({ length: count }, (_, at) => hashOf(keyAt(at)));
      const fullest = (part: (hash: number) => number) => {
        const counts = new Map<number, number>();
        for (const hash of hashes) counts.set(part(hash), (counts.get(part(hash)) ?? 0) + 1);
        return Math.max(...counts.values());
      };
      // 78 are to be expected of each 256th; twice as many come by chance once in 10 to the power of 15.
      expect(fullest((hash) => hash >>> 24)).toBeLessThan(156);
      expect(fullest((hash) => hash & 255)).toBeLessThan(156);
      expect(new Set(hashes).size).toBeGreaterThan(count - 20);
    });
  }
});
