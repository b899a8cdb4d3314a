import { describe, expect, test } from "vitest";
import type { RateLimitedRequest } from "../../../src/policy/rate-limiter/rate-limit.ts";
import { rateLimitMessage } from "../../../src/policy/rate-limiter/rate-limit-decision.ts";
import { RateLimiter } from "../../../src/policy/rate-limiter/rate-limiter.ts";
import type { RateLimiterOptions } from "../../../src/policy/rate-limiter/rate-limiter-options.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const perUser = { key: "userId", maxRequests: 2, windowMs: 1000 };
const perRoom = { key: "room", maxRequests: 2, windowMs: 1000 };
const export10 = { service: "data", requestType: "export", key: "userId", maxRequests: 1, windowMs: 60_000 };

function start(options: RateLimiterOptions) {
  const clock = new SimulatedClock();
  return { clock, limiter: new RateLimiter("gateway", clock, options) };
}

function request(fields: Partial<RateLimitedRequest> = {}): RateLimitedRequest {
  return { service: "s", requestType: "t", args: {}, userId: null, deviceId: null, ipAddress: null, ...fields };
}

const inRoom = (room: unknown, fields: Partial<RateLimitedRequest> = {}) => request({ args: { room }, ...fields });
const repeat = <Result>(times: number, act: (time: number) => Result) =>
  Array.from({ length: times }, (_, at) => act(at));
const count = (limiter: RateLimiter, value: string | number) => limiter.status(value)[0]?.count;

describe("a client that was refused", () => {
  test("is let in after retryAfterMs, and not a millisecond before", () => {
    const { clock, limiter } = start({ globalLimits: [perUser] });
    clock.advance(0.25);
    limiter.check(request({ userId: "ann" }));
    clock.advance(100.5);
    limiter.check(request({ userId: "ann" }));
    clock.advance(300);
    const refused = limiter.check(request({ userId: "ann" }));
    expect(refused).toEqual({ allowed: false, retryAfterMs: 600, limit: { ...perUser, scope: "global" } });
    clock.advance(599);
    expect(limiter.check(request({ userId: "ann" })).allowed).toBe(false);
    clock.advance(1);
    expect(limiter.check(request({ userId: "ann" })).allowed).toBe(true);
  });

  test("is told the longest of the waits when several limits refuse it", () => {
    const { limiter } = start({ globalLimits: [{ ...perUser, maxRequests: 1 }], apiLimits: [export10] });
    const exporting = request({ service: "data", requestType: "export", userId: "ann" });
    limiter.check(exporting);
    expect(limiter.check(exporting)).toMatchObject({ retryAfterMs: 60_000, limit: { windowMs: 60_000 } });
  });

  test("reads how many seconds to wait, rounded up", () => {
    expect(rateLimitMessage(1)).toBe("Rate limit exceeded. Please retry after 1 seconds.");
    expect(rateLimitMessage(1000)).toBe("Rate limit exceeded. Please retry after 1 seconds.");
    expect(rateLimitMessage(1001)).toBe("Rate limit exceeded. Please retry after 2 seconds.");
  });
});

describe("a limit applies", () => {
  test("for an API beside the global ones, to that API alone", () => {
    const { limiter } = start({ globalLimits: [{ ...perUser, maxRequests: 3 }], apiLimits: [export10] });
    const exporting = request({ service: "data", requestType: "export", userId: "ann" });
    expect(limiter.check(exporting).allowed).toBe(true);
    expect(limiter.check(exporting).allowed).toBe(false);
    expect(repeat(3, () => limiter.check(request({ userId: "ann" })).allowed)).toEqual([true, true, false]);
  });

  test("not to a request without user id, device id or address", () => {
    const keys = ["userId", "deviceId", "ipAddress"];
    const { limiter } = start({ globalLimits: keys.map((key) => ({ ...perUser, key, maxRequests: 1 })) });
    expect(repeat(5, () => limiter.check(request()).allowed)).toEqual(repeat(5, () => true));
  });

  test("to an IPv6 client by its network, the upper 64 bits, however many addresses it makes up in it", () => {
    const { limiter } = start({ globalLimits: [{ ...perUser, key: "ipAddress" }] });
    const check = (ipAddress: string) => limiter.check(request({ ipAddress })).allowed;
    expect(["2001:db8:0:7::1", "2001:db8:0:7:a:b:c:d", "2001:db8:0:7::"].map(check)).toEqual([true, true, false]);
    expect(limiter.status("2001:db8:0:7::9", "global", "ipAddress")).toMatchObject([{ count: 2 }]);
    expect(["2001:db8::1", "2001:db8:0:0:1::", "2001:db8::2:2"].map(check)).toEqual([true, true, false]);
    expect(["::1", "::7", "::2:3:4:5:6", "::"].map(check)).toEqual([true, true, true, false]);
    expect(["203.0.113.7", "203.0.113.8"].map(check)).toEqual([true, true]);
  });

  test("by the connection's user id, whatever argument bears that name", () => {
    const { limiter } = start({ globalLimits: [perUser] });
    repeat(5, (at) => limiter.check(request({ userId: "ann", args: { userId: `other ${at}` } })));
    expect(count(limiter, "ann")).toBe(2);
  });
});

describe("an argument that a limit counts by", () => {
  const { service, requestType } = export10;
  const ofApi = { apiLimits: [{ ...perRoom, service, requestType }] };
  const api = { service, requestType };

  test("cannot be left out, or sent as something else, to escape the limit of an API", () => {
    const escapes = [undefined, null, true, [], ["a"], {}, { a: 1 }];
    const { limiter } = start(ofApi);
    const decisions = [{}, ...escapes.map((room) => ({ room }))].map((args) =>
      limiter.check(request({ ...api, args })),
    );
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(2);
  });

  test("need not be there for a global limit, but counts whatever it is when it is there", () => {
    const { limiter } = start({ globalLimits: [perRoom] });
    expect(repeat(4, () => limiter.check(request()).allowed)).toEqual([true, true, true, true]);
    expect(repeat(4, () => limiter.check(inRoom({})).allowed)).toEqual([true, true, false, false]);
  });

  test("is not read from what every object inherits", () => {
    const { limiter } = start({ globalLimits: [{ ...perRoom, key: "constructor" }] });
    expect(repeat(4, () => limiter.check(request()).allowed)).toEqual([true, true, true, true]);
  });

  test("is told apart by every byte, also when it is longer than 256 and kept as a hash", () => {
    const { limiter } = start({ globalLimits: [{ ...perRoom, maxRequests: 1 }] });
    for (const length of [85, 86, 256, 257, 5000]) {
      const long = "ü".repeat(length);
      expect(limiter.check(inRoom(long)).allowed).toBe(true);
      expect(limiter.check(inRoom(`${long.slice(1)}x`)).allowed).toBe(true);
      expect(limiter.check(inRoom(long)).allowed).toBe(false);
      expect(limiter.status(long)).toMatchObject([{ count: 1 }]);
    }
  });
});

describe("changing limits at run time", () => {
  test("keeps the counts of limits that stay, and of those whose maxRequests alone changes", () => {
    const { limiter } = start({ globalLimits: [perUser, perRoom] });
    repeat(2, () => limiter.check(inRoom("lobby", { userId: "ann" })));
    limiter.updateConfig({ globalLimits: [{ ...perUser, maxRequests: 3 }] });
    expect(limiter.check(inRoom("lobby", { userId: "ann" })).allowed).toBe(true);
    expect(limiter.check(inRoom("lobby", { userId: "ann" })).allowed).toBe(false);
  });

  test("forgets those of limits that go, also if they come back", () => {
    const { limiter } = start({ globalLimits: [perUser] });
    repeat(2, () => limiter.check("ann", "global", "userId"));
    limiter.updateConfig({ globalLimits: [] });
    limiter.updateConfig({ globalLimits: [perUser] });
    expect(count(limiter, "ann")).toBe(0);
    limiter.sweep(10);
    expect(limiter.statistics.userAndAddressKeys).toBe(0);
  });

  test("takes another window for another limit", () => {
    const { limiter } = start({ globalLimits: [perUser] });
    repeat(2, () => limiter.check("ann", "global", "userId"));
    limiter.updateConfig({ globalLimits: [{ ...perUser, windowMs: 2000 }] });
    expect(count(limiter, "ann")).toBe(0);
  });

  test("lowers a limit under what a key has used: it waits until enough of that has left, and a raise undoes it", () => {
    const { clock, limiter } = start({ globalLimits: [{ ...perUser, maxRequests: 10 }] });
    repeat(10, () => {
      limiter.check("ann", "global", "userId");
      clock.advance(10);
    });
    limiter.updateConfig({ globalLimits: [{ ...perUser, maxRequests: 3 }] });
    expect(limiter.status("ann")).toMatchObject([{ count: 10, remaining: 0, retryAfterMs: 970 }]);
    expect(limiter.check("ann", "global", "userId")).toMatchObject({ retryAfterMs: 970 });
    limiter.updateConfig({ globalLimits: [{ ...perUser, maxRequests: 5 }] });
    expect(limiter.check("ann", "global", "userId")).toMatchObject({ retryAfterMs: 950 });
    limiter.updateConfig({ globalLimits: [{ ...perUser, maxRequests: 3 }] });
    clock.advance(900);
    expect(limiter.check("ann", "global", "userId")).toMatchObject({ retryAfterMs: 70 });
    limiter.updateConfig({ globalLimits: [{ ...perUser, maxRequests: 10 }] });
    expect(limiter.check("ann", "global", "userId").allowed).toBe(true);
  });

  test("to disabled lets all through and counts none", () => {
    const { limiter } = start({ globalLimits: [perUser], enabled: false });
    expect(repeat(4, () => limiter.check("ann", "global", "userId").allowed)).toEqual([true, true, true, true]);
    limiter.updateConfig({ enabled: true });
    expect(count(limiter, "ann")).toBe(0);
  });

  test("is refused as a whole, with every fault by its path, and then changes nothing", () => {
    const { limiter } = start({ globalLimits: [perUser] });
    const wrong = { key: "", maxRequests: 0, windowMs: 1.5 };
    const before = limiter.config;
    expect(() =>
      limiter.updateConfig({
        enabled: "yes" as never,
        maxKeys: -1,
        globalLimits: [perUser, wrong, { ...perUser, maxRequests: 9 }, null as never],
        apiLimits: [{ ...perUser, service: "", requestType: 7 as never }],
      }),
    ).toThrow(
      expect.objectContaining({
        code: "invalid_option",
        message: [
          'rateLimiter.enabled must be true or false, got "yes"',
          "rateLimiter.maxKeys must be a whole number above 0, got -1",
          'rateLimiter.globalLimits[1].key must be "userId", "deviceId", "ipAddress", "claims.NAME" or an argument\'s name, got ""',
          "rateLimiter.globalLimits[1].maxRequests must be a whole number above 0, got 0",
          "rateLimiter.globalLimits[1].windowMs must be a whole number of milliseconds above 0, got 1.5",
          "rateLimiter.globalLimits[2] has the key and windowMs of globalLimits[0]",
          "rateLimiter.globalLimits[3] must be a limit, got null",
          'rateLimiter.apiLimits[0].service must be a non-empty string, got ""',
          "rateLimiter.apiLimits[0].requestType must be a non-empty string, got 7",
        ].join("; "),
      }),
    );
    expect(limiter.config).toEqual(before);
  });

  test("does not follow the lists that it was given", () => {
    const globalLimits = [{ ...perUser }];
    const { limiter } = start({ globalLimits });
    globalLimits.pop();
    limiter.updateConfig({});
    (limiter.config.globalLimits as unknown[]).pop();
    expect(limiter.limits).toHaveLength(1);
  });
});

describe("reset forgets", () => {
  const limits = { globalLimits: [perUser, perRoom], apiLimits: [export10] };
  const used = () => {
    const { limiter } = start(limits);
    for (const name of ["ann", "bob"]) {
      limiter.check(inRoom(name, { userId: name, service: "data", requestType: "export" }));
    }
    return limiter;
  };
  const counts = (limiter: RateLimiter, value: string) => limiter.status(value).map(({ count }) => count);

  test("one value everywhere, for one scope, or for one key", () => {
    const limiter = used();
    limiter.reset("ann", undefined, "room");
    expect(counts(limiter, "ann")).toEqual([1, 0, 1]);
    limiter.reset("ann", export10);
    expect(counts(limiter, "ann")).toEqual([1, 0, 0]);
    limiter.reset("ann");
    expect(counts(limiter, "ann")).toEqual([0, 0, 0]);
    expect(counts(limiter, "bob")).toEqual([1, 1, 1]);
  });

  test("every value, for one scope or everywhere", () => {
    const limiter = used();
    limiter.reset(undefined, "global");
    expect(counts(limiter, "bob")).toEqual([0, 0, 1]);
    limiter.reset();
    expect(counts(limiter, "bob")).toEqual([0, 0, 0]);
    limiter.sweep(100);
    expect(limiter.statistics).toMatchObject({ userAndAddressKeys: 0, deviceAndArgumentKeys: 0 });
  });
});

describe("when the limiter itself fails", () => {
  const fail = () => {
    throw new Error("broken");
  };
  const broken = request({ args: new Proxy({}, { getOwnPropertyDescriptor: fail }) });

  test("it lets in, counts the fault, and goes on deciding others", () => {
    const { limiter } = start({ globalLimits: [{ ...perRoom, maxRequests: 1 }] });
    expect(limiter.check(broken)).toEqual({ allowed: true });
    expect(limiter.statistics.faults).toBe(1);
    expect(repeat(2, () => limiter.check(inRoom("a")).allowed)).toEqual([true, false]);
  });

  test("it refuses with failOpen false", () => {
    const { limiter } = start({ globalLimits: [perRoom], failOpen: false });
    expect(limiter.check(broken)).toEqual({ allowed: false, retryAfterMs: 1000, limit: null });
  });
});

test("telemetry tells every check, and of a refusal the limit that refused", () => {
  using events = recordEvents("rate_limiter.check", "rate_limiter.exceeded");
  const { limiter } = start({ apiLimits: [export10] });
  const exporting = request({ service: "data", requestType: "export", userId: "ann" });
  limiter.check(exporting);
  limiter.check(exporting);
  const api = { gateway: "gateway", service: "data", request_type: "export" };
  const check = { event: "rate_limiter.check", measurements: { duration_us: 0 } };
  expect(events.messages).toEqual([
    { ...check, metadata: { ...api, allowed: true, error: null } },
    { ...check, metadata: { ...api, allowed: false, error: null } },
    {
      event: "rate_limiter.exceeded",
      measurements: { retry_after_ms: 60_000 },
      metadata: { ...api, scope: "data/export", key: "userId", max_requests: 1, window_ms: 60_000 },
    },
  ]);
});
