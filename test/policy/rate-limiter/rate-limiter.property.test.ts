import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  RateLimitedRequest,
  RateLimitScope,
  ScopedRateLimit,
} from "../../../src/policy/rate-limiter/rate-limit.ts";
import { RateLimiter } from "../../../src/policy/rate-limiter/rate-limiter.ts";
import type { RateLimiterConfig } from "../../../src/policy/rate-limiter/rate-limiter-options.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { NaiveRateLimiter } from "./naive-rate-limiter.ts";

const keys = ["userId", "deviceId", "ipAddress", "room"];
// Few values, the same ones for every key: whatever leaked between key kinds, scopes or types would show.
const text = fc.constantFrom("a", "b", "1");
const identity = fc.option(text);
const apis = [
  { service: "users", requestType: "get" },
  { service: "users", requestType: "put" },
  { service: "rooms", requestType: "get" },
] as const;

const limit = fc.record({
  key: fc.constantFrom(...keys),
  maxRequests: fc.integer({ min: 1, max: 6 }),
  windowMs: fc.constantFrom(1, 10, 250, 1000),
});
const identityOf = (limit: object) => JSON.stringify({ ...limit, maxRequests: 0 });
const globalLimits = fc.uniqueArray(limit, { maxLength: 3, selector: identityOf });
const apiLimits = fc.uniqueArray(
  fc.tuple(limit, fc.constantFrom(...apis)).map(([limit, api]) => ({ ...limit, ...api })),
  { maxLength: 4, selector: identityOf },
);
const config = fc.record({ globalLimits, apiLimits });

const request: fc.Arbitrary<RateLimitedRequest> = fc
  .record({
    api: fc.constantFrom(...apis),
    args: fc.oneof(
      fc.constant({}),
      fc.record({ room: fc.constantFrom<unknown>("a", "b", "1", 1, 1.5, null, true, ["a"], { a: 1 }) }),
    ),
    userId: identity,
    deviceId: identity,
    ipAddress: identity,
  })
  .map(({ api, ...rest }) => ({ ...api, ...rest }));

const scope: fc.Arbitrary<RateLimitScope> = fc.constantFrom<RateLimitScope[]>("global", ...apis);
const value = fc.constantFrom<string | number>("a", "b", "1", 1);

// A clock that stands still, creeps, walks, jumps, and does so by fractions too.
const gap = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 300, noNaN: true }) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 3000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 1e9 }) },
);

type Operation = (real: RateLimiter, naive: NaiveRateLimiter, clock: SimulatedClock) => void;

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 20,
    arbitrary: request.map<Operation>((request) => (real, naive, clock) => {
      const decision = real.check(request);
      expect(outcomeOf(decision)).toEqual(naive.check(request));
      if (decision.allowed) return;
      // Who waits that long is let in: the naive limiter is asked without being changed.
      expect(naive.wouldAllow(request, clock.now() + decision.retryAfterMs)).toBe(true);
    }),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(value, scope, fc.constantFrom(...keys)).map<Operation>(([value, scope, key]) => {
      return (real, naive) =>
        expect(outcomeOf(real.check(value, scope, key))).toEqual(naive.checkValue(value, scope, key));
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(value, fc.option(scope, { nil: undefined }), fc.option(fc.constantFrom(...keys), { nil: undefined }))
      .map<Operation>(([value, scope, key]) => (real, naive) => {
        expect(real.status(value, scope, key)).toEqual(naive.status(value, scope, key));
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.option(value, { nil: undefined }), fc.option(scope, { nil: undefined }))
      .map<Operation>(([value, scope]) => (real, naive) => {
        real.reset(value, scope);
        naive.reset(value, scope);
      }),
  },
  {
    weight: 1,
    arbitrary: config.map<Operation>((config) => (real, naive) => {
      real.updateConfig(config);
      naive.configure(config);
    }),
  },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5 }).map<Operation>((max) => (real) => void real.sweep(max)) },
);

function outcomeOf(decision: ReturnType<RateLimiter["check"]>) {
  return decision.allowed ? { allowed: true } : { allowed: false, retryAfterMs: decision.retryAfterMs };
}

const history = fc.array(fc.record({ gap, operation }), { maxLength: 120, size: "max" });

function replay(config: Partial<RateLimiterConfig>, steps: readonly { gap: number; operation: Operation }[]) {
  const clock = new SimulatedClock();
  const real = new RateLimiter("gateway", clock, config);
  const naive = new NaiveRateLimiter(clock);
  naive.configure({ globalLimits: [], apiLimits: [], ...config });
  for (const { gap, operation } of steps) {
    clock.advance(gap);
    operation(real, naive, clock);
  }
  return { clock, real, naive };
}

describe("for any limits, keys, times and operations", () => {
  test("every decision, count and retryAfterMs agrees with a plain list of timestamps", () => {
    fc.assert(
      fc.property(config, history, (config, steps) => void replay(config, steps)),
      { numRuns: 500 },
    );
  });

  test("no window ever holds more accepted requests than maxRequests", () => {
    fc.assert(
      fc.property(limit, fc.array(fc.record({ gap, value }), { maxLength: 300, size: "max" }), (limit, steps) => {
        const clock = new SimulatedClock();
        const limiter = new RateLimiter("gateway", clock, { globalLimits: [limit] });
        const accepted: { value: string | number; at: number }[] = [];
        for (const { gap, value } of steps) {
          clock.advance(gap);
          if (limiter.check(value, "global", limit.key).allowed) accepted.push({ value, at: clock.now() });
        }
        // In each window that ends with an accepted request; no other can hold more.
        for (const { value, at } of accepted) {
          const inWindow = accepted.filter(
            (other) => other.value === value && other.at <= at && other.at > at - limit.windowMs,
          );
          expect(inWindow.length).toBeLessThanOrEqual(limit.maxRequests);
        }
      }),
    );
  });
});

describe("keys and scopes do not touch each other:", () => {
  const everyTable: ScopedRateLimit[] = keys.flatMap((key) =>
    (["global", ...apis] as const).map((scope) => ({ scope, key, maxRequests: 2, windowMs: 1000 })),
  );
  const all: Partial<RateLimiterConfig> = {
    globalLimits: keys.map((key) => ({ key, maxRequests: 2, windowMs: 1000 })),
    apiLimits: apis.flatMap((api) => keys.map((key) => ({ ...api, key, maxRequests: 2, windowMs: 1000 }))),
  };

  test("a value used up for one key and scope is untouched for every other", () => {
    for (const used of everyTable) {
      const limiter = new RateLimiter("gateway", new SimulatedClock(), all);
      for (const expected of [true, true, false]) {
        expect(limiter.check("same", used.scope, used.key).allowed).toBe(expected);
      }
      expect(limiter.status("same").filter(({ count }) => count > 0)).toHaveLength(1);
      expect(limiter.status("same", used.scope, used.key)).toMatchObject([{ count: 2, remaining: 0 }]);
    }
  });

  test("the text 1 and the number 1 are two values", () => {
    const limiter = new RateLimiter("gateway", new SimulatedClock(), all);
    limiter.check("1", "global", "room");
    expect(limiter.status(1, "global", "room")).toMatchObject([{ count: 0 }]);
  });
});

test("a refused request leaves no trace: afterwards everything is as if it had not come", () => {
  fc.assert(
    fc.property(config, fc.array(fc.record({ gap, request }), { maxLength: 100, size: "max" }), (config, steps) => {
      const clock = new SimulatedClock();
      const all = new RateLimiter("gateway", clock, config);
      const acceptedOnly = new RateLimiter("gateway", clock, config);
      for (const { gap, request } of steps) {
        clock.advance(gap);
        if (all.check(request).allowed) expect(acceptedOnly.check(request).allowed).toBe(true);
        for (const value of ["a", "b", "1", 1]) expect(all.status(value)).toEqual(acceptedOnly.status(value));
        // No key either: what it found without requests it may have dropped, as a sweep would.
        const [some, others] = [all.statistics, acceptedOnly.statistics];
        expect(some.userAndAddressKeys).toBeLessThanOrEqual(others.userAndAddressKeys);
        expect(some.deviceAndArgumentKeys).toBeLessThanOrEqual(others.deviceAndArgumentKeys);
      }
    }),
  );
});

describe("a clock", () => {
  const limits = { globalLimits: [{ key: "userId", maxRequests: 3, windowMs: 1000 }] };

  test("that stands still lets in maxRequests and no more", () => {
    const limiter = new RateLimiter("gateway", new SimulatedClock(), limits);
    const decisions = Array.from({ length: 10 }, () => limiter.check("a", "global", "userId").allowed);
    expect(decisions.filter(Boolean)).toHaveLength(3);
  });

  test("that jumps far forward lets all windows run out", () => {
    const clock = new SimulatedClock();
    const limiter = new RateLimiter("gateway", clock, limits);
    for (let request = 0; request < 4; request++) limiter.check("a", "global", "userId");
    clock.advance(1e12);
    expect(limiter.status("a")).toMatchObject([{ count: 0, remaining: 3, retryAfterMs: 0 }]);
    expect(limiter.check("a", "global", "userId").allowed).toBe(true);
  });

  test("that goes back, which none should, counts as standing still", () => {
    let now = 5000;
    const clock = Object.assign(new SimulatedClock(), { now: () => now });
    const limiter = new RateLimiter("gateway", clock, limits);
    for (let request = 0; request < 3; request++) limiter.check("a", "global", "userId");
    now = 100;
    expect(limiter.check("a", "global", "userId")).toMatchObject({ allowed: false, retryAfterMs: 1000 });
    now = 6000;
    expect(limiter.check("a", "global", "userId").allowed).toBe(true);
  });
});
