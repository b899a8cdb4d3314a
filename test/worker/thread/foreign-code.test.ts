import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/time/clock.ts";
import { runOnMain } from "../../../src/execution/run-on-main.ts";
import { identity } from "../../support/identity.ts";
import { failure, fixture, openPool, run, start } from "../open-pool.ts";

describe("what one call puts into an AsyncLocalStorage is there for it, and for no other call", () => {
  const enters = ["enter", "enterLater", "enterInThen"];

  test.each(enters)("on a thread, by %s", async (name) => {
    await using pool = openPool();
    const module = fixture("contexts.mjs");
    expect(await run(pool, name, ["alice"], { module })).toBe("alice");
    // In one message, and in the next.
    const together = [name, "read", "readLater", name].map((each, at) => run(pool, each, [`user ${at}`], { module }));
    expect(await Promise.all(together)).toEqual(["user 0", null, null, "user 3"]);
    expect(await run(pool, "read", [], { module })).toBeNull();
  });

  test("on the main thread", async () => {
    const storage = new AsyncLocalStorage<string>();
    const program = { name: "g", clock: systemClock };
    const result = (main: () => unknown) =>
      new Promise((resolve, reject) => {
        const call = { service: "s", requestType: "x", args: [], identity: null, maxResultBytes: 100 };
        runOnMain(main, { ...call, succeeded: (json) => resolve(JSON.parse(json)), failed: reject }, program);
      });
    const enter = () => {
      storage.enterWith("alice");
      return storage.getStore();
    };
    expect(await result(enter)).toBe("alice");
    expect(storage.getStore()).toBeUndefined();
    expect(await result(() => storage.getStore() ?? null)).toBeNull();
    expect(await storage.run("the host", () => result(() => storage.getStore() ?? null))).toBeNull();
  });
});

// One function each: of a thread whose `then` was replaced, Node's own import() is broken too.
test.each(["one", "later"])("a module that replaces built-ins changes nothing of what its %s answers", async (name) => {
  await using pool = openPool();
  const module = fixture("replaces-built-ins.mjs");
  expect(await run(pool, name, [], { module })).toEqual({ one: 1 });
  expect(await run(pool, name, [], { module })).toEqual({ one: 1 });
});

test("a function that breaks the iterators of lists, Maps and Sets breaks nothing of what its thread answers", async () => {
  await using pool = openPool();
  // Imported before: Node's own loader iterates over lists too, and since Node 24 sees it when somebody replaces that.
  expect(await run(pool, "echo", [4])).toBe(4);
  const module = fixture("replaces-iterators.mjs");
  expect(await run(pool, "replaceIterators", [], { module })).toBe("replaced");
  expect(await run(pool, "add", [1, 2], { module })).toBe(3);
  expect(await run(pool, "addLater", [1, 2], { module })).toBe(3);
  expect(await run(pool, "whoAsks", [1], { module, identity })).toBe("r1");
  expect(await run(pool, "write", [], { module })).toBe("written");
  const { error } = await failure(pool, "fail", [], { module });
  expect(error.cause).toMatchObject({ message: "failed" });
  const waits = start(pool, "never", [], { module, identity });
  const chunks: string[] = [];
  await new Promise((ended, failed) => {
    const target = {
      service: "test",
      requestType: "x",
      version: null,
      module,
      moduleName: module,
      function: "count",
      ofService: false,
    };
    const running = pool.stream({
      ...target,
      args: [100],
      identity: null,
      maxResultBytes: 100,
      chunk: (json) => {
        chunks.push(json);
        running.grant(1);
      },
      ended,
      failed,
    });
  });
  expect(chunks).toHaveLength(100);
  waits.cancel("cancelled");
  expect(await run(pool, "echo", [5])).toBe(5);
});

test("a function that replaces the push of lists breaks nothing of what its thread answers", async () => {
  await using pool = openPool();
  const module = fixture("replaces-push.mjs");
  expect(await run(pool, "replacePush", [], { module })).toEqual({ replaced: [true] });
  const together = [1, 2, 3].map((a) => run(pool, "add", [a, 1], { module }));
  expect(await Promise.all(together)).toEqual([{ sum: [2] }, { sum: [3] }, { sum: [4] }]);
  expect(await run(pool, "addLater", [1, 2], { module })).toBe(3);
});
