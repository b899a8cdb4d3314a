import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyCap } from "../../../src/policy/rate-limiter/rate-limit-key-cap.ts";
import { RateLimiter } from "../../../src/policy/rate-limiter/rate-limiter.ts";
import type { RateLimiterOptions } from "../../../src/policy/rate-limiter/rate-limiter-options.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const perUser = { key: "userId", maxRequests: 2, windowMs: 1000 };
const perRoom = { key: "room", maxRequests: 2, windowMs: 1000 };

function start(options: RateLimiterOptions) {
  const clock = new SimulatedClock();
  const limiter = new RateLimiter("gateway", clock, { globalLimits: [perUser, perRoom], ...options });
  const check = (key: string, value: string | number) => limiter.check(value, "global", key).allowed;
  const both = (userId: string, room: string) =>
    limiter.check({ service: "s", requestType: "t", args: { room }, userId, deviceId: null, ipAddress: null });
  return { clock, limiter, check, both };
}

test("a number that is not finite is no key: it counts with all else that is none", () => {
  const { both, limiter } = start({ globalLimits: [perRoom] });
  const join = (room: unknown) => both("u", room as string).allowed;
  // As JSON.parse reads 1e999.
  expect([join(Number.POSITIVE_INFINITY), join(Number.NaN), join(Number.NEGATIVE_INFINITY), join(true)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(join(0)).toBe(true);
  expect(limiter.check(Number.POSITIVE_INFINITY, "global", "room").allowed).toBe(false);
});

const times = (count: number) => Array.from({ length: count }, (_, at) => at);

describe("with maxKeys keys that all have requests in their windows", () => {
  test("a new key is let in and not kept, or refused with failOpen false; both are counted", () => {
    for (const failOpen of [true, false]) {
      const { limiter, check } = start({ maxKeys: 3, failOpen });
      for (const room of times(3)) check("room", room);
      expect(times(5).map(() => check("room", "new"))).toEqual(times(5).map(() => failOpen));
      expect(limiter.status("new", "global", "room")).toMatchObject([{ count: 0 }]);
      expect(limiter.statistics).toMatchObject({ deviceAndArgumentKeys: 3, withoutRoom: 5 });
    }
  });

  test("no key that has requests is forgotten for a new one: who is limited stays limited", () => {
    const { limiter, check } = start({ maxKeys: 100 });
    for (const room of times(100)) times(2).map(() => check("room", room));
    for (const invented of times(10_000)) check("room", `invented ${invented}`);
    expect(times(100).map((room) => check("room", room))).toEqual(times(100).map(() => false));
    expect(limiter.statistics.deviceAndArgumentKeys).toBe(100);
  });

  test("a key that has no request left makes room at that very millisecond, whichever limit it is of", () => {
    const { clock, limiter, check } = start({
      globalLimits: [perRoom, { key: "deviceId", maxRequests: 2, windowMs: 300 }],
      maxKeys: 2,
      failOpen: false,
    });
    check("room", "a");
    check("deviceId", "d");
    expect(limiter.check("b", "global", "room")).toMatchObject({ allowed: false, retryAfterMs: 300, limit: null });
    clock.advance(299);
    expect(check("room", "b")).toBe(false);
    clock.advance(1);
    expect(check("room", "b")).toBe(true);
    expect(limiter.status("a", "global", "room")).toMatchObject([{ count: 1 }]);
    expect(limiter.check("c", "global", "room")).toMatchObject({ allowed: false, retryAfterMs: 700 });
  });

  test("the key that was used last stays longest", () => {
    const { clock, check } = start({ maxKeys: 2, failOpen: false });
    check("room", "a");
    check("room", "b");
    clock.advance(500);
    check("room", "a");
    clock.advance(500);
    expect([check("room", "c"), check("room", "d")]).toEqual([true, false]);
    expect([check("room", "a"), check("room", "a")]).toEqual([true, false]);
  });

  test("invented arguments take no room from users, nor users from them", () => {
    const { limiter, check, both } = start({ maxKeys: 3, failOpen: false });
    for (const room of times(3)) check("room", room);
    expect(times(3).map((user) => check("userId", `user ${user}`))).toEqual([true, true, true]);
    expect(limiter.statistics).toMatchObject({ userAndAddressKeys: 3, deviceAndArgumentKeys: 3 });
    expect(both("user 0", "new").allowed).toBe(false);
  });

  test("the limits that have room still apply and count, and a refusal leaves no trace", () => {
    for (const failOpen of [true, false]) {
      const { limiter, check, both } = start({ maxKeys: 3, failOpen });
      for (const room of times(3)) check("room", room);
      const decisions = times(3).map((at) => both("ann", `new ${at}`).allowed);
      expect(decisions).toEqual(failOpen ? [true, true, false] : [false, false, false]);
      expect(limiter.status("ann", "global", "userId")).toMatchObject([{ count: failOpen ? 2 : 0 }]);
    }
  });

  test("a request that needs two new keys and has room for one gets that one", () => {
    const limits = [perRoom, { ...perRoom, windowMs: 5000 }];
    for (const failOpen of [true, false]) {
      const { limiter, check } = start({ globalLimits: limits, maxKeys: 3, failOpen });
      expect(check("room", "a")).toBe(true);
      expect(check("room", "b")).toBe(failOpen);
      expect(limiter.statistics.deviceAndArgumentKeys).toBe(failOpen ? 3 : 2);
    }
  });
});

describe("a key that was refused for want of room with failOpen false", () => {
  test("is let in after retryAfterMs and not a millisecond before, however often the keys in use came meanwhile", () => {
    const { clock, limiter, check } = start({ maxKeys: 1, failOpen: false });
    check("room", "a");
    clock.advance(900);
    check("room", "a");
    expect(limiter.check("b", "global", "room")).toEqual({ allowed: false, retryAfterMs: 1000, limit: null });
    clock.advance(999);
    expect(check("room", "b")).toBe(false);
    clock.advance(1);
    expect(check("room", "b")).toBe(true);
  });

  test("is told the longest window where more than one place is missing, or can ever be had", () => {
    const limits = [perRoom, { ...perRoom, windowMs: 5000 }];
    const { limiter } = start({ globalLimits: limits, maxKeys: 2, failOpen: false });
    expect(limiter.check("a", "global", "room").allowed).toBe(true);
    expect(limiter.check("b", "global", "room")).toMatchObject({ allowed: false, retryAfterMs: 5000 });
    const narrow = start({ globalLimits: limits, maxKeys: 1, failOpen: false }).limiter;
    expect(narrow.check("a", "global", "room")).toMatchObject({ allowed: false, retryAfterMs: 5000 });
  });

  test("is shown its wait before it comes, where failOpen is false, and none once there is room", () => {
    const request = {
      service: "s",
      requestType: "t",
      args: { room: "b" },
      userId: "b",
      deviceId: null,
      ipAddress: null,
    };
    for (const failOpen of [true, false]) {
      const { clock, limiter, both } = start({ maxKeys: 1, failOpen });
      both("a", "a");
      clock.advance(100);
      const waits = () => limiter.peek(request).map(({ count, retryAfterMs }) => [count, retryAfterMs]);
      expect(waits()).toEqual(failOpen ? times(2).map(() => [0, 0]) : times(2).map(() => [0, 900]));
      expect(limiter.status("b", "global", "userId")).toMatchObject([{ retryAfterMs: failOpen ? 0 : 900 }]);
      expect(limiter.status("a", "global", "userId")).toMatchObject([{ count: 1, retryAfterMs: 0 }]);
      expect(limiter.statistics.withoutRoom).toBe(0);
      clock.advance(900);
      expect(waits()).toEqual(times(2).map(() => [0, 0]));
      expect(both("b", "b").allowed).toBe(true);
    }
  });

  test("is told the longer wait when users and arguments are both full", () => {
    for (const roomFirst of [true, false]) {
      const { clock, check, both } = start({ maxKeys: 1, failOpen: false });
      const fill = [() => check("userId", "a"), () => check("room", "a")];
      for (const act of roomFirst ? fill.toReversed() : fill) {
        act();
        clock.advance(100);
      }
      expect(both("b", "b")).toEqual({ allowed: false, retryAfterMs: 900, limit: null });
      clock.advance(899);
      expect(both("b", "b").allowed).toBe(false);
      clock.advance(1);
      expect(both("b", "b").allowed).toBe(true);
    }
  });

  test("always has a wait that JSON can carry, whatever came before", () => {
    const step = fc.record({ gap: fc.nat(600), user: fc.nat(5), room: fc.nat(5) });
    const limits = [perUser, { ...perUser, windowMs: 300 }, perRoom, { ...perRoom, windowMs: 5000 }];
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (steps, maxKeys) => {
        const { clock, both } = start({ globalLimits: limits, maxKeys, failOpen: false });
        for (const { gap, user, room } of steps) {
          clock.advance(gap);
          const decision = both(`user ${user}`, `room ${room}`);
          if (decision.allowed) continue;
          expect(decision.retryAfterMs).toSatisfy((ms) => Number.isSafeInteger(ms) && (ms as number) >= 1);
          expect(decision.retryAfterMs).toBeLessThanOrEqual(5000);
        }
      }),
    );
  });
});

describe("the search for a key to evict", () => {
  function startTables(count: number) {
    const cap = new KeyCap();
    let calls = 0;
    const tables = times(count).map(() => ({
      windowMs: 1000,
      idleKeys: 0,
      idleAt() {
        calls++;
        return Number.POSITIVE_INFINITY;
      },
      evictIdle(): number {
        calls++;
        return this.idleKeys > 0 ? this.idleKeys-- : 0;
      },
    }));
    for (const table of tables) cap.addTable(table);
    cap.mayBeIdleFrom(0);
    const callsFor = (act: () => void) => {
      calls = 0;
      act();
      return calls;
    };
    return { cap, tables, callsFor };
  }

  test("goes on at the table that gave the last one, and looks at none twice", () => {
    const { cap, tables, callsFor } = startTables(1000);
    tables[998]!.idleKeys = 500;
    expect(callsFor(() => cap.evictIdle(1))).toBe(2 * 998 + 1);
    expect(callsFor(() => times(499).map(() => cap.evictIdle(1)))).toBe(499);
    tables[3]!.idleKeys = 1;
    expect(callsFor(() => expect(cap.evictIdle(1)).toBe(1))).toBe(2 * 5 + 1);
    expect(callsFor(() => expect(cap.evictIdle(1)).toBe(0))).toBe(2 * 1000);
    expect(callsFor(() => times(100).map(() => cap.evictIdle(2)))).toBe(0);
  });

  test("misses no table when others are removed", () => {
    const { cap, tables } = startTables(5);
    tables[3]!.idleKeys = 2;
    cap.evictIdle(1);
    for (const table of tables.slice(0, 2)) cap.removeTable(table);
    expect(cap.evictIdle(1)).toBe(1);
    tables[4]!.idleKeys = 1;
    cap.removeTable(tables[3]!);
    expect(cap.evictIdle(1)).toBe(1);
    tables[2]!.idleKeys = 1;
    cap.removeTable(tables[4]!);
    expect(cap.evictIdle(1)).toBe(1);
  });
});

test("for any requests, never more keys are kept than maxKeys, and those kept are limited exactly", () => {
  const step = fc.record({ gap: fc.nat(600), room: fc.nat(9), which: fc.constantFrom("room", "userId", "both") });
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 200 }), fc.integer({ min: 1, max: 6 }), (steps, maxKeys) => {
      const { clock, limiter, check, both } = start({ maxKeys, failOpen: false });
      const accepted: { room: number; at: number }[] = [];
      for (const { gap, room, which } of steps) {
        clock.advance(gap);
        const isLive = (other: { at: number }) => other.at > clock.now() - 1000;
        const live = accepted.filter(isLive);
        const liveRooms = new Set(live.map((other) => other.room));
        if (which === "both") {
          if (both(String(room), String(room + 100)).allowed) accepted.push({ room: room + 100, at: clock.now() });
        } else if (which === "room") {
          const allowed = check("room", String(room));
          if (allowed) accepted.push({ room, at: clock.now() });
          const hasRoom = liveRooms.has(room) || liveRooms.size < maxKeys;
          expect(allowed).toBe(hasRoom && live.filter((other) => other.room === room).length < 2);
        } else {
          check("userId", String(room));
        }
        expect(limiter.statistics.userAndAddressKeys).toBeLessThanOrEqual(maxKeys);
        expect(limiter.statistics.deviceAndArgumentKeys).toBeLessThanOrEqual(maxKeys);
      }
    }),
  );
});

describe("a sweep", () => {
  const users = (limiter: RateLimiter) => limiter.statistics.userAndAddressKeys;

  test("forgets keys without requests only, at most as many as it is told, until none is left", () => {
    const { clock, limiter, check } = start({});
    for (const user of times(250)) check("userId", user);
    clock.advance(500);
    for (const user of times(50)) check("userId", user);
    clock.advance(499);
    expect(limiter.sweep(100)).toEqual({ removed: 0, more: false });
    clock.advance(1);
    expect([users(limiter), limiter.sweep(100), users(limiter)]).toEqual([250, { removed: 100, more: true }, 150]);
    expect(limiter.sweep(100)).toEqual({ removed: 100, more: true });
    expect([limiter.sweep(100), users(limiter)]).toEqual([{ removed: 0, more: false }, 50]);
  });

  test("counts a key with many requests as several", () => {
    const { clock, limiter, check } = start({ globalLimits: [{ ...perUser, maxRequests: 1000 }] });
    for (const user of times(10)) times(1000).map(() => check("userId", user));
    clock.advance(1000);
    expect(limiter.sweep(50)).toEqual({ removed: 5, more: true });
  });

  test("gives a million keys' memory back, none of its slices forgetting more than it may", () => {
    const { clock, limiter, check } = start({ maxKeys: 1_000_000 });
    for (const user of times(1_000_000)) check("userId", user);
    expect(users(limiter)).toBe(1_000_000);
    expect(limiter.statistics.windowBytes / 1_000_000).toBeLessThan(66);
    clock.advance(1000);
    let slices = 0;
    for (let slice = limiter.sweep(1000); slice.more; slice = limiter.sweep(1000)) {
      expect(slice.removed).toBe(1000);
      slices++;
    }
    expect(slices).toBe(1000);
    expect(users(limiter)).toBe(0);
    expect(limiter.statistics.windowBytes).toBeLessThanOrEqual(2 * 65_536);
  });
});

describe("a hostile client that invents a key with each request", () => {
  test("makes memory grow to maxKeys and no further", () => {
    const { clock, limiter, check } = start({ maxKeys: 10_000 });
    for (const invented of times(100_000)) {
      check("room", `invented ${invented}`);
      clock.advance(0.01);
    }
    expect(limiter.statistics.deviceAndArgumentKeys).toBe(10_000);
    expect(limiter.statistics.windowBytes).toBeLessThan(10_000 * 66 + 2 * 65_536);
  });

  test("frees neither itself nor others of a limit by user, and forgets nobody's counts", () => {
    const { limiter, check, both } = start({ maxKeys: 1000 });
    times(2).map(() => check("userId", "bob"));
    times(2).map(() => check("room", "lobby"));
    const decisions = times(50_000).map((at) => both("mallory", `invented ${at}`).allowed);
    expect(decisions.filter(Boolean)).toHaveLength(2);
    expect(times(50_000).filter((at) => check("room", `invented ${at}`))).toHaveLength(50_000);
    expect([check("userId", "bob"), check("room", "lobby")]).toEqual([false, false]);
    expect(limiter.statistics.userAndAddressKeys).toBe(2);
  });
});
