import { describe, expect, test } from "vitest";
import { failure, fixture, openPool, placeOf, run, start } from "./open-pool.ts";

const identity = {
  requestId: "r1",
  requestType: "whoAsks",
  service: "test",
  version: "1.0.0",
  userId: "u1",
  userIdVerified: true,
  deviceId: null,
  userRoles: ["admin"],
  topic: null,
  ipAddress: null,
  claims: {},
  deadline: null,
  trace: null,
};

describe("a call on a thread", () => {
  test("answers with what the function returns, or what its promise resolves to", async () => {
    await using pool = openPool();
    expect(await run(pool, "add", [1, 2])).toBe(3);
    expect(await run(pool, "later", [{ a: [1, null, "ü"] }])).toEqual({ a: [1, null, "ü"] });
  });

  test("is encoded by JSON's rules: no value is null, a function is dropped, a Date is its ISO text", async () => {
    await using pool = openPool();
    expect(await run(pool, "nothing")).toBe(null);
    expect(await run(pool, "aFunction")).toBe(null);
    expect(await run(pool, "date")).toBe("1970-01-01T00:00:00.000Z");
  });

  test("gets arguments as structuredClone gives them", async () => {
    await using pool = openPool();
    expect(await run(pool, "echo", [new Date(5)])).toBe("1970-01-01T00:00:00.005Z");
  });

  test("has the request's info as last argument where it was asked for", async () => {
    await using pool = openPool();
    expect(await run(pool, "whoAsks", [7], { identity })).toEqual({ value: 7, ...identity, aborted: false });
  });

  test("that throws a GenApiError of any copy of the package tells its client so", async () => {
    await using pool = openPool();
    const { error, begun } = await failure(pool, "told");
    expect(error).toMatchObject({
      code: "failed",
      reason: "out_of_stock",
      message: "Nothing left of 4711",
      canRetry: true,
      retryable: true,
      cause: { message: "the shelf is empty" },
    });
    expect(begun).toBe(true);
  });

  test("that throws anything else is internal, with the original as cause", async () => {
    await using pool = openPool();
    const { error } = await failure(pool, "broken");
    expect(error).toMatchObject({
      code: "internal",
      message: "Internal Server Error",
      canRetry: false,
      cause: { name: "TypeError", message: "x is not a function", code: "E_BROKEN" },
    });
    expect((error.cause as Error).stack).toContain("functions.mjs");
  });

  test.each([
    ["rejects", "only a text"],
    ["throwsUnreadable", "proxy"],
    ["thenThrows", "no then for you"],
    ["cycle", "circular"],
    ["bigint", "BigInt"],
  ])("%s is internal, and the cause says %s", async (name, message) => {
    await using pool = openPool();
    const { error } = await failure(pool, name);
    expect(error.code).toBe("internal");
    expect((error.cause as Error).message).toContain(message);
  });

  test("whose result is a Proxy that can be awaited is awaited", async () => {
    await using pool = openPool();
    expect(await run(pool, "proxiedThen")).toBe("awaited");
  });

  test("whose thenable settles twice is answered once", async () => {
    await using pool = openPool();
    const call = start(pool, "settlesTwice");
    expect(await call.outcome).toMatchObject({ result: "first" });
    await run(pool, "echo");
    expect(call.answers).toBe(1);
  });

  test("whose result is bigger than allowed, in UTF-8 bytes, is internal", async () => {
    await using pool = openPool();
    expect(await run(pool, "text", [4], { maxResultBytes: 10 })).toBe("éééé");
    const { error } = await failure(pool, "text", [5], { maxResultBytes: 10 });
    expect(error.code).toBe("internal");
    expect((error.cause as Error).message).toContain("12 bytes");
  });

  test("with an argument that cannot be cloned fails alone, without having begun", async () => {
    await using pool = openPool();
    const before = start(pool, "echo", ["before"]);
    const bad = start(pool, "echo", [() => 1]);
    const after = start(pool, "echo", ["after"]);
    expect(await before.outcome).toMatchObject({ result: "before" });
    expect(await bad.outcome).toMatchObject({ error: { code: "internal" }, begun: false });
    expect(await after.outcome).toMatchObject({ result: "after" });
    expect(pool.status().inFlight).toBe(0);
  });

  test("of a module that cannot be imported, or has no such function, is internal and names it", async () => {
    await using pool = openPool();
    const missing = await failure(pool, "echo", [], { module: fixture("no-such-file.mjs") });
    expect(missing).toMatchObject({ error: { code: "internal", cause: { code: "module_unreadable" } }, begun: false });
    expect((missing.error.cause as Error).message).toContain("no-such-file.mjs");
    const throwing = await failure(pool, "echo", [], { module: fixture("throws-at-import.mjs") });
    expect((throwing.error.cause as Error).message).toContain("does not want to be imported");
    const nameless = await failure(pool, "noSuchFunction");
    expect(nameless).toMatchObject({ error: { cause: { code: "function_missing" } } });
  });

  test("verify tells without calling whether a function can be found", async () => {
    await using pool = openPool();
    await pool.verify(placeOf(fixture("functions.mjs"), "exit"));
    await expect(pool.verify(placeOf(fixture("functions.mjs"), "toString"))).rejects.toMatchObject({
      code: "function_missing",
    });
    await expect(pool.verify(placeOf(fixture("nowhere.mjs"), "x"))).rejects.toMatchObject({
      code: "module_unreadable",
    });
  });

  test.each([
    ["never-imported.mjs", "took longer than 300 ms"],
    ["loops-at-import.mjs", "took longer than 300 ms"],
    ["exit-at-import.mjs", "ended its thread"],
  ])("verify names a module that does not let itself be imported: %s %s", async (file, what) => {
    await using pool = openPool({ loadTimeoutMs: file.startsWith("exit") ? 10_000 : 300, wedgeGraceMs: 200 });
    await run(pool, "echo");
    const module = fixture(file);
    const error = await pool.verify(placeOf(module, "one")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "module_unreadable", cause: expect.any(Error) });
    expect((error as Error).message).toContain(`${module} ${what}`);
    expect(await run(pool, "echo", ["still here"])).toBe("still here");
    expect(pool.status().inFlight).toBe(0);
  });
});
