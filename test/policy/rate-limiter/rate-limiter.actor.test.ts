import { describe, expect, test } from "vitest";
import { kill } from "../../../src/actor/lifecycle/exit.ts";
import { startSystem } from "../../../src/actor/system.ts";
import { type RateLimiterRef, rateLimiterActor } from "../../../src/policy/rate-limiter/rate-limiter.actor.ts";
import { RateLimiter } from "../../../src/policy/rate-limiter/rate-limiter.ts";
import { RateLimiterApi } from "../../../src/policy/rate-limiter/rate-limiter-api.ts";
import type { RateLimiterOptions } from "../../../src/policy/rate-limiter/rate-limiter-options.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const perUser = { key: "userId", maxRequests: 2, windowMs: 1000 };

function start(options: RateLimiterOptions = {}, mayUpdateConfig = true) {
  const clock = new SimulatedClock();
  const limiter = new RateLimiter("gateway", clock, { globalLimits: [perUser], ...options });
  const input = { gateway: "gateway", limiter, options };
  const system = startSystem({
    name: "test",
    clock,
    children: [{ id: "rate_limiter", logic: rateLimiterActor, input, name: "rate_limiter" }],
  });
  const ref = () => system.whereis<RateLimiterRef>("rate_limiter");
  const api = new RateLimiterApi(limiter, ref, mayUpdateConfig);
  const check = (userId: string) => api.check(userId, "global", "userId").allowed;
  return { clock, system, ref, api, check, [Symbol.asyncDispose]: async () => void (await system.shutdown()) };
}

const countOf = (api: RateLimiterApi, userId: string) => api.status(userId)[0]?.count;

describe("the rate limiter's actor", () => {
  test("can crash: its successor goes on, and every count is as it was", async () => {
    await using started = start();
    const { clock, ref, api, check } = started;
    check("ann");
    const first = ref();
    kill(first!);
    expect(check("ann")).toBe(true);
    await expect.poll(ref).not.toBe(first);
    expect([check("ann"), countOf(api, "ann")]).toEqual([false, 2]);
    await api.setGlobalLimits([{ ...perUser, maxRequests: 3 }]);
    expect([check("ann"), check("ann")]).toEqual([true, false]);
    clock.advance(2001);
    expect(api.statistics().userAndAddressKeys).toBe(0);
  });

  test("forgets keys without requests every sweepIntervalMs, keysPerSweep at a time, and says so", async () => {
    await using started = start({ sweepIntervalMs: 5000, keysPerSweep: 40 });
    using events = recordEvents("rate_limiter.cleanup");
    const { clock, api, check } = started;
    for (let user = 0; user < 100; user++) check(`user ${user}`);
    clock.advance(4999);
    expect(api.statistics().userAndAddressKeys).toBe(100);
    clock.advance(1);
    expect(api.statistics().userAndAddressKeys).toBe(0);
    expect(events.messages.map(({ measurements }) => measurements)).toEqual(
      [40, 40, 20].map((removed) => ({ duration_us: 0, removed })),
    );
  });

  test("leaves no timer behind when it stops", async () => {
    const { clock, system } = start();
    await system.shutdown();
    expect(clock.pending).toBe(0);
  });
});

describe("the host program", () => {
  test("names an address in any of its forms, and is told what is none", async () => {
    await using started = start({ globalLimits: [{ key: "ipAddress", maxRequests: 2, windowMs: 1000 }] });
    const { api } = started;
    const request = { service: "s", requestType: "t", args: {}, userId: null, deviceId: null };
    const count = (address: string) => api.status(address, "global", "ipAddress")[0]?.count;
    api.check({ ...request, ipAddress: "2001:DB8::0001" });
    api.check("2001:db8:0:0:1::", "global", "ipAddress");
    expect([count("2001:0db8::7"), count("2001:db8::"), api.status("2001:DB8::1")[0]?.count]).toEqual([2, 2, 2]);
    expect(api.check({ ...request, ipAddress: "2001:db8::1" }).allowed).toBe(false);
    await api.reset({ value: "2001:DB8::9", key: "ipAddress" });
    expect(count("2001:db8::1")).toBe(0);
    const fault = (name: string) => ({
      code: "invalid_option",
      message: expect.stringContaining(`${name} must be an IP address such as "10.0.0.1" or "2001:db8::1", got "ann"`),
    });
    const ipAddress = "ann";
    expect(() => api.check({ ...request, ipAddress })).toThrow(expect.objectContaining(fault("ipAddress")));
    expect(() => api.check("ann", "global", "ipAddress")).toThrow(expect.objectContaining(fault("value")));
    expect(() => api.status("ann", "global", "ipAddress")).toThrow(expect.objectContaining(fault("value")));
    await expect(api.reset({ value: "ann", key: "ipAddress" })).rejects.toMatchObject(fault("value"));
    // Without a key it may be a user's id.
    expect(api.status("ann")).toMatchObject([{ count: 0 }]);
  });

  test("adds, replaces, removes and reads global limits; counts of those that stay are kept", async () => {
    await using started = start();
    const { api, check } = started;
    check("ann");
    const perAddress = { key: "ipAddress", maxRequests: 5, windowMs: 1000 };
    await api.addGlobalLimit(perAddress);
    await api.addGlobalLimit({ ...perUser, maxRequests: 7 });
    expect(api.getGlobalLimits()).toEqual([perAddress, { ...perUser, maxRequests: 7 }]);
    expect(api.getConfiguredLimits()).toEqual(api.getGlobalLimits().map((limit) => ({ scope: "global", ...limit })));
    expect(api.status("ann", "global", "userId")).toMatchObject([{ count: 1, remaining: 6 }]);
    expect(await api.removeGlobalLimit("ipAddress", 2000)).toBe(false);
    expect(await api.removeGlobalLimit("ipAddress")).toBe(true);
    await api.setGlobalLimits([]);
    expect(api.getGlobalLimits()).toEqual([]);
  });

  test("is told every fault of a limit, and nothing changes or crashes", async () => {
    await using started = start();
    const { api, ref } = started;
    const actor = ref();
    const wrong = { key: "userId", maxRequests: -1, windowMs: 1000 };
    for (const attempt of [
      api.addGlobalLimit(wrong),
      api.setGlobalLimits([wrong]),
      api.addGlobalLimit(null as never),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: "invalid_option" });
    }
    expect(ref()).toBe(actor);
    expect(api.getGlobalLimits()).toEqual([perUser]);
  });

  const limit = { key: "userId", maxRequests: 1, windowMs: 1000 };
  const unreadable = {
    get key(): string {
      throw new Error("no key today");
    },
  };
  const malformed: [string, (api: Record<string, (argument?: unknown) => Promise<unknown>>) => unknown, RegExp][] = [
    ["addGlobalLimit(null)", (api) => api.addGlobalLimit!(null), /must be a limit, got null/],
    ["addGlobalLimit()", (api) => api.addGlobalLimit!(), /must be a limit, got/],
    ["addGlobalLimit of a function", (api) => api.addGlobalLimit!(() => limit), /must be a limit, got/],
    [
      "a limit that holds a function",
      (api) => api.addGlobalLimit!({ ...limit, on: String }),
      /"on" is unknown; known are key, maxRequests, windowMs/,
    ],
    ["a limit that throws when it is read", (api) => api.addGlobalLimit!(unreadable), /no key today/],
    ["setGlobalLimits of a text", (api) => api.setGlobalLimits!("x"), /globalLimits must be a list of limits, got "x"/],
    ["setGlobalLimits()", (api) => api.setGlobalLimits!(), /must be given a list of limits, got undefined/],
    ["setGlobalLimits of nulls", (api) => api.setGlobalLimits!([null]), /globalLimits\[0\] must be a limit, got null/],
    ["updateConfig(null)", (api) => api.updateConfig!(null), /must be an object of changes, got null/],
    ["updateConfig()", (api) => api.updateConfig!(), /must be an object of changes, got/],
    [
      "updateConfig of unknown fields",
      (api) => api.updateConfig!({ enable: false, keysPerSweep: 1 }),
      /"enable", "keysPerSweep" is unknown; known are enabled, failOpen, countNested, globalLimits, apiLimits, maxKeys/,
    ],
    [
      "updateConfig of an API's limit that holds a function",
      (api) => api.updateConfig!({ apiLimits: [{ ...limit, service: "s", requestType: "t", on: String }] }),
      /apiLimits\[0\]\."on" is unknown; known are service, requestType, key/,
    ],
    ["reset(null)", (api) => api.reset!(null), /must be an object with value, scope and key, or left out, got null/],
    ["reset of a null scope", (api) => api.reset!({ value: "ann", scope: null }), /scope must be "global", \{ service/],
    ["reset of half a scope", (api) => api.reset!({ scope: { service: "s" } }), /scope must be "global", \{ service/],
    ["reset of no value", (api) => api.reset!({ value: null }), /value must be a string, a finite number or left out/],
    ["reset of a wrong key", (api) => api.reset!({ key: 7 }), /key must be a non-empty string or left out, got 7/],
    [
      "reset of an unknown field",
      (api) => api.reset!({ userId: "ann" }),
      /"userId" is unknown; known are value, scope/,
    ],
  ];
  for (const [name, attempt, message] of malformed) {
    test(`is told what is wrong with ${name}, and nothing changes or crashes`, async () => {
      await using started = start();
      const { api, ref, check } = started;
      const actor = ref();
      check("ann");
      const config = api.getConfig();
      await expect(attempt(api as never)).rejects.toMatchObject({
        code: "invalid_option",
        message: expect.stringMatching(message),
      });
      expect([api.getConfig(), countOf(api, "ann")]).toEqual([config, 1]);
      await api.reset();
      expect([ref() === actor, countOf(api, "ann")]).toEqual([true, 0]);
    });
  }

  test("resets counts, which telemetry tells", async () => {
    await using started = start();
    using events = recordEvents("rate_limiter.reset");
    const { api, check } = started;
    check("ann");
    check("bob");
    await api.reset({ value: "ann", key: "userId" });
    expect([countOf(api, "ann"), countOf(api, "bob")]).toEqual([0, 1]);
    await api.reset();
    expect(countOf(api, "bob")).toBe(0);
    expect(events.messages.map(({ metadata }) => metadata)).toEqual([
      { gateway: "gateway", scope: null, key: "userId", all_values: false },
      { gateway: "gateway", scope: null, key: null, all_values: true },
    ]);
  });

  test("may update the configuration only where the admin action is listed", async () => {
    await using started = start({}, false);
    await expect(started.api.updateConfig({ enabled: false })).rejects.toMatchObject({ code: "permission_denied" });
    expect(started.api.getConfig().enabled).toBe(true);
    await using listed = start();
    await listed.api.updateConfig({ enabled: false });
    expect(listed.api.getConfig().enabled).toBe(false);
  });
});
