import { afterEach, describe, expect, test } from "vitest";
import { unavailable } from "../../../src/call/request/failure.ts";
import type { FunConfigInput } from "../../../src/config/fun-config.ts";
import { pipelineOf } from "../../support/pipeline.ts";
import { recordEvents } from "../../support/record-events.ts";
import { settled } from "../../support/simulated-clock.ts";

declare global {
  var resolveNodes: (...args: unknown[]) => unknown;
}

const resolver = { module: "resolvers", function: "asTold", args: ["users", 2] };
const remote = { requestType: "get", nodes: resolver, mfa: "users.get", runOn: "worker" } as const;

/** @param answer what the resolver does; its calls are counted */
async function resolving(answer: (...args: unknown[]) => unknown, config: Partial<FunConfigInput> = {}) {
  const asked: unknown[][] = [];
  globalThis.resolveNodes = (...args) => {
    asked.push(args);
    return answer(...args);
  };
  const started = await pipelineOf({ ...remote, ...config });
  started.nodes.up("a", "b");
  return { ...started, asked };
}

const codes = (sent: readonly { response: Record<string, unknown> }[]) =>
  sent.map(({ response }) => response.error_code ?? response.result);

afterEach(() => {
  globalThis.resolveNodes = () => [];
});

describe("a function's resolver", () => {
  test("is called with its own arguments, and a list that it returns at once keeps nobody waiting", async () => {
    const { request, nodes, asked } = await resolving(() => ["a"]);
    request("get");
    expect(asked).toEqual([["users", 2]]);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a"]);
  });

  test.each([
    [{}, 5_000],
    [{ nodesTtlMs: 200 }, 200],
  ])("is asked again only after nodesTtlMs (%j)", async (config, ttlMs) => {
    let names = ["a"];
    const { request, nodes, asked, clock } = await resolving(() => names, config);
    request("get");
    names = ["b"];
    clock.advance(ttlMs - 1);
    request("get");
    expect(asked.length).toBe(1);
    clock.advance(1);
    request("get");
    expect(asked.length).toBe(2);
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "a", "b"]);
  });

  test("is asked for every request with nodesTtlMs 0", async () => {
    const { request, asked } = await resolving(() => ["a"], { nodesTtlMs: 0 });
    for (let count = 0; count < 3; count++) request("get");
    expect(asked.length).toBe(3);
  });

  test("that takes its time is asked once for all who wait; they count as running", async () => {
    let answer: (names: string[]) => void = () => undefined;
    const { request, nodes, asked, running, clock } = await resolving(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    for (let count = 0; count < 3; count++) request("get");
    expect([asked.length, nodes.calls.length, running.size]).toEqual([1, 0, 3]);
    answer(["a"]);
    await settled();
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "a", "a"]);
    for (const { call } of nodes.calls) call.succeeded("1");
    clock.advance(4_999);
    request("get");
    nodes.calls[3]?.call.succeeded("1");
    expect([asked.length, running.size]).toEqual([1, 0]);
    clock.advance(10_000);
    expect(clock.pending).toBe(0);
  });

  test("that is late leaves no nodes: who waited is told at hookTimeout, and what it says then is dropped", async () => {
    using events = recordEvents("executor.resolver.exception");
    let answer: (names: string[]) => void = () => undefined;
    const { request, sent, asked, clock, nodes, running } = await resolving(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      { hookTimeout: 50 },
    );
    request("get");
    await clock.advanceAsync(49);
    expect(sent).toEqual([]);
    await clock.advanceAsync(1);
    await settled();
    expect(codes(sent)).toEqual(["unavailable"]);
    answer(["a"]);
    await settled();
    request("get");
    expect(codes(sent)).toEqual(["unavailable", "unavailable"]);
    expect([asked.length, nodes.calls.length, running.size, clock.pending]).toEqual([1, 0, 0, 0]);
    expect(events.messages).toMatchObject([
      {
        measurements: { duration_us: 50_000 },
        metadata: { gateway: "test", service: "s", request_type: "get", resolver: "resolvers.asTold" },
      },
    ]);
  });

  test("whose caller is gone meanwhile leads to nothing, not even a turn", async () => {
    const { request, sent, nodes } = await resolving(async () => ["a", "b"], { chooseNodeMode: "roundRobin" });
    request("get").calls.abortAll("disconnected");
    await settled();
    expect([codes(sent), nodes.calls]).toEqual([["cancelled"], []]);
    request("get");
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a"]);
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ["throws", () => Promise.reject(new Error("no idea")), /no idea/],
    [
      "throws at once",
      () => {
        throw new Error("no idea");
      },
      /no idea/,
    ],
    ["returns nothing", () => undefined, /must return a list of node names, got nothing/],
    ["returns one name", () => "a", /must return a list of node names, got string/],
    ["returns a number in its list", () => ["a", 5], /must return a list of node names, got 5 in it/],
    ["returns an empty name", async () => [""], /must return a list of node names, got "" in it/],
    ["returns too many", () => Array.from({ length: 1_001 }, String), /at most 1000 node names, got 1001/],
    [
      "returns what cannot be read",
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: what is tested
        get then() {
          throw new Error("trap");
        },
      }),
      /trap/,
    ],
  ];
  test.each(wrong)(
    "that %s leaves no nodes, telemetry hears why, and it is asked again soon",
    async (_, answer, why) => {
      using events = recordEvents("executor.resolver.exception");
      let isWell = false;
      const { request, sent, asked, clock, nodes } = await resolving(() => (isWell ? ["a"] : answer()));
      request("get");
      await settled();
      request("get");
      await settled();
      expect(codes(sent)).toEqual(["unavailable", "unavailable"]);
      expect(asked.length).toBe(1);
      const message = expect.stringMatching(why);
      expect(events.messages.map(({ metadata }) => metadata)).toMatchObject([{ error: { message } }]);
      isWell = true;
      clock.advance(500);
      request("get");
      await settled();
      expect(nodes.calls.map(({ node }) => node)).toEqual(["a"]);
    },
  );

  test("that names nobody leaves no nodes, which is no fault", async () => {
    using events = recordEvents("executor.resolver.exception");
    const { request, sent } = await resolving(() => []);
    request("get");
    expect(codes(sent)).toEqual(["unavailable"]);
    expect(events.messages).toEqual([]);
  });

  test("may change its list afterwards without changing anything", async () => {
    const names = ["a"];
    const { request, nodes } = await resolving(() => names);
    request("get");
    names[0] = "b";
    request("get");
    expect(nodes.calls.map(({ node }) => node)).toEqual(["a", "a"]);
  });

  test("is asked again by a retry of all nodes, and by one of the same node not", async () => {
    for (const [retry, expected] of [
      [{ allNodes: 1 }, ["a", "b"]],
      [{ sameNode: 1 }, ["a", "a"]],
    ] as const) {
      let names = ["a"];
      const { request, nodes, clock } = await resolving(async () => names, { retry, nodesTtlMs: 0 });
      request("get");
      await settled();
      names = ["b"];
      nodes.calls[0]?.call.failed(unavailable as never, true);
      await clock.advanceAsync(100);
      await settled();
      expect(nodes.calls.map(({ node }) => node)).toEqual(expected);
    }
  });

  test("is not asked for a call that was cancelled while a retry waited for it", async () => {
    let names: Promise<string[]> | string[] = ["a"];
    const { request, nodes, clock, sent, running } = await resolving(() => names, { retry: 3, nodesTtlMs: 0 });
    const { calls } = request("get");
    let answer: (names: string[]) => void = () => undefined;
    names = new Promise((resolve) => {
      answer = resolve;
    });
    nodes.calls[0]?.call.failed(unavailable as never, true);
    clock.advance(100);
    calls.cancel("r1")?.();
    answer(["b"]);
    await settled();
    clock.advance(100_000);
    expect(nodes.calls.length).toBe(1);
    expect([codes(sent), running.size, clock.pending]).toEqual([["cancelled"], 0, 0]);
  });

  test("has one answer for all calls, also where a before hook changes how they are executed", async () => {
    const { request, nodes, asked } = await resolving(async () => ["a"], { beforeExecute: "m.quicker" });
    for (let count = 0; count < 3; count++) request("get");
    await expect.poll(() => nodes.calls.length).toBe(3);
    request("get");
    await expect.poll(() => nodes.calls.length).toBe(4);
    expect(asked.length).toBe(1);
  });
});
