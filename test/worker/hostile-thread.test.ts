import { describe, expect, test } from "vitest";
import { failure, fixture, openPool, placeOf, run } from "./open-pool.ts";

describe("what a thread's code does to the language", () => {
  test("a function that is a thenable is called like any other", async () => {
    await using pool = openPool();
    const module = fixture("then-function.mjs");
    await pool.verify(placeOf(module, "one"));
    expect(await run(pool, "one", [], { module })).toBe(1);
  });

  test("a module that makes every object a thenable cannot keep a call from its one answer", async () => {
    await using pool = openPool();
    const module = fixture("then-everywhere.mjs");
    const first = await failure(pool, "one", [], { module }).catch((error: unknown) => error);
    expect(first).toBeDefined();
    expect(pool.status().inFlight).toBe(0);
  });
});

describe("a thread whose messages", () => {
  const threadFile = new URL(fixture("talks-nonsense.mjs"));

  test.each([
    ["is no list", null],
    ["is a number", 5],
    ["is too short", [1]],
    ["has a result of a call that nobody made", [1, 99, "1"]],
    ["has a failure of no call", [2, "x", null]],
    ["has a result that is no text", [1, 0, 5]],
    ["has a result that is missing", [1, 0, null]],
    ["tells of dropped output that is no number", [11, 1, "many"]],
  ])("cannot be read is lost: one %s", async (_, message) => {
    await using pool = openPool({ threadFile });
    expect(await failure(pool, "any", [message])).toMatchObject({ error: { code: "unavailable" } });
    expect(await failure(pool, "any", [[2, 0, { kind: "internal", cause: null }]])).toMatchObject({
      error: { code: "internal" },
    });
    expect(pool.status().inFlight).toBe(0);
  });

  test.each([
    undefined,
    null,
    5,
    {},
    { kind: "internal" },
    { kind: "odd", cause: null },
    { kind: "failed", cause: null },
  ])("tells of a failure as %o is answered as internal", async (data) => {
    await using pool = openPool({ threadFile });
    expect(await failure(pool, "any", [[2, 0, data]])).toMatchObject({ error: { code: "internal" } });
  });
});
