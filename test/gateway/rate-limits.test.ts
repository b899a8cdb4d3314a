import { afterEach, describe, expect, test } from "vitest";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const twoPerUser = { key: "userId", maxRequests: 2, windowMs: 60_000 };

const clocks: SimulatedClock[] = [];

afterEach(() => {
  // A socket that was to close when it is idle, and was closed before, looks once more.
  for (const clock of clocks.splice(0)) clock.advance(1_000);
});

async function start(rateLimiter: object, more: object = {}) {
  const clock = new SimulatedClock();
  clocks.push(clock);
  const gateway = await startTestGateway({ rateLimiter, clock, ...more });
  const client = (userId: string) => connectClient(urlOf(gateway), { params: { user_id: userId } });
  return { clock, gateway, client };
}

describe("a client over its limit", () => {
  test("is refused with retry_after_ms, and one who waits exactly that long is let in", async () => {
    const { clock, gateway, client } = await start({ globalLimits: [twoPerUser] });
    await using alice = await client("alice");
    const echo = async () => (await alice.request("on_main", { msg: 1 })).response;
    expect((await echo()).success).toBe(true);
    clock.advance(10_000);
    expect((await echo()).success).toBe(true);
    clock.advance(500);
    const refused = await echo();
    expect(refused).toMatchObject({
      success: false,
      error: "Rate limit exceeded. Please retry after 50 seconds.",
      error_code: "rate_limited",
      can_retry: true,
      retry_after_ms: 49_500,
    });
    clock.advance(49_499);
    expect((await echo()).error_code).toBe("rate_limited");
    clock.advance(1);
    expect((await echo()).success).toBe(true);
    await gateway.stop();
  });

  test("is counted by the connection's identity, not by what its requests claim, and others are not", async () => {
    const { gateway, client } = await start({ globalLimits: [twoPerUser] });
    await using alice = await client("alice");
    await using bob = await client("bob");
    for (const claim of ["x", "y"]) await alice.request("on_main", { msg: 1 }, { user_id: claim });
    expect((await alice.request("on_main", { msg: 1 }, { user_id: "z" })).response.error_code).toBe("rate_limited");
    expect((await bob.request("on_main", { msg: 1 })).response.success).toBe(true);
    await gateway.stop();
  });

  test("of one API may still call another; a request refused by one limit is counted by none", async () => {
    const oneEcho = { service: "test", requestType: "on_main", key: "userId", maxRequests: 1, windowMs: 60_000 };
    const { gateway, client } = await start({ globalLimits: [twoPerUser], apiLimits: [oneEcho] });
    await using alice = await client("alice");
    expect((await alice.request("on_main", { msg: 1 })).response.success).toBe(true);
    for (let count = 0; count < 5; count++) {
      expect((await alice.request("on_main", { msg: 1 })).response.error_code).toBe("rate_limited");
    }
    expect((await alice.request("whoami")).response.success).toBe(true);
    expect((await alice.request("whoami")).response.error_code).toBe("rate_limited");
    await gateway.stop();
  });

  test("is not counted for what permission refuses, and is for what its arguments are wrong in", async () => {
    const { gateway, client } = await start({ globalLimits: [{ ...twoPerUser, key: "ipAddress" }] });
    await using nobody = await connectClient(urlOf(gateway));
    for (let count = 0; count < 3; count++) {
      expect((await nobody.request("only_users")).response.error_code).toBe("permission_denied");
    }
    await using alice = await client("alice");
    for (let count = 0; count < 2; count++) {
      expect((await alice.request("add", { a: "x" })).response.error_code).toBe("invalid_argument");
    }
    expect((await alice.request("add", { a: 1, b: 1 })).response.error_code).toBe("rate_limited");
    await gateway.stop();
  });
});

describe("the host", () => {
  test("changes limits at run time; the counts of limits that stay are kept", async () => {
    const { gateway, client } = await start({ globalLimits: [twoPerUser] });
    await using alice = await client("alice");
    const outcome = async () => (await alice.request("on_main", { msg: 1 })).response.error_code ?? "ok";
    expect([await outcome(), await outcome(), await outcome()]).toEqual(["ok", "ok", "rate_limited"]);
    expect(gateway.rateLimiter.status("alice", undefined, "userId")).toMatchObject([
      { count: 2, remaining: 0, maxRequests: 2 },
    ]);
    await gateway.rateLimiter.setGlobalLimits([{ ...twoPerUser, maxRequests: 3 }]);
    expect(gateway.rateLimiter.getGlobalLimits()).toMatchObject([{ maxRequests: 3 }]);
    expect([await outcome(), await outcome()]).toEqual(["ok", "rate_limited"]);
    await gateway.rateLimiter.reset({ value: "alice" });
    expect(await outcome()).toBe("ok");
    expect(await gateway.rateLimiter.removeGlobalLimit("userId")).toBe(true);
    expect([await outcome(), await outcome(), await outcome(), await outcome()]).toEqual(Array(4).fill("ok"));
    expect(gateway.rateLimiter.getConfig()).toMatchObject({ enabled: true, failOpen: true, globalLimits: [] });
    await gateway.stop();
  });

  test("updates the whole configuration, and the error detail, only if the admin action is listed", async () => {
    const { gateway } = await start({ globalLimits: [twoPerUser] });
    await expect(gateway.rateLimiter.updateConfig({ enabled: false })).rejects.toMatchObject({
      code: "permission_denied",
    });
    expect(() => gateway.setDetailError(true)).toThrow(expect.objectContaining({ code: "permission_denied" }));
    await gateway.stop();

    const adminActions = ["update_rate_limit_config", "change_detail_error"];
    const { gateway: open } = await start({ globalLimits: [twoPerUser] }, { adminActions });
    await open.rateLimiter.updateConfig({ enabled: false });
    expect(open.rateLimiter.getConfig().enabled).toBe(false);
    open.setDetailError(true);
    expect(await open.request({ service: "test", requestType: "boom" })).toMatchObject({
      error: "Internal Server Error: a detail that no client sees",
    });
    await open.stop();
  });

  test("is told every fault of its limits by path", async () => {
    const rateLimiter = { globalLimits: [{ key: "userId", maxRequests: 0, windowMs: "1s" }], failOpen: 1, burst: true };
    const error = await startTestGateway({ rateLimiter } as never).catch((thrown) => thrown);
    for (const fault of [
      "rateLimiter.globalLimits[0].maxRequests must be a whole number above 0, got 0",
      'rateLimiter.globalLimits[0].windowMs must be a whole number of milliseconds above 0, got "1s"',
      "rateLimiter.failOpen must be true or false, got 1",
      'rateLimiter has unknown keys: "burst"',
    ]) {
      expect(error.message).toContain(fault);
    }
  });
});
