import { describe, expect, test } from "vitest";
import type { GenApiError } from "../../dist/core/errors.js";
import type { RunningStream } from "../../dist/execution/worker-call.js";
import type { WorkerPool } from "../../dist/worker/worker-pool.js";
import { identity } from "../support/identity.ts";
import { fixture, openPool, run } from "./open-pool.ts";

const module = fixture("streams.mjs");

interface TestStream {
  readonly chunks: unknown[];
  readonly ends: ({ last: unknown } | { error: GenApiError; begun: boolean })[];
  readonly end: Promise<{ last: unknown } | { error: GenApiError; begun: boolean }>;
  /** Resolves when so many chunks have come. */
  came(count: number): Promise<void>;
  readonly running: RunningStream;
}

/** Starts a stream; `greedy` takes every chunk at once. */
function open(
  pool: WorkerPool,
  name: string,
  args: unknown[] = [],
  { greedy = true, withInfo = false, maxResultBytes = 1_000_000 } = {},
): TestStream {
  const chunks: unknown[] = [];
  const ends: TestStream["ends"] = [];
  let settle!: (end: TestStream["ends"][number]) => void;
  let look = (): void => undefined;
  const end = new Promise<TestStream["ends"][number]>((resolve) => {
    settle = resolve;
  });
  const finish = (how: TestStream["ends"][number]): void => {
    ends.push(how);
    settle(how);
  };
  const running = pool.stream({
    service: "test",
    requestType: name,
    version: null,
    module,
    moduleName: module,
    ofService: false,
    function: name,
    args,
    identity: withInfo ? identity : null,
    maxResultBytes,
    chunk: (json) => {
      chunks.push(JSON.parse(json));
      if (greedy) running.grant(1);
      look();
    },
    ended: (lastJson) => finish({ last: lastJson === null ? null : JSON.parse(lastJson) }),
    failed: (error, begun) => finish({ error, begun }),
  });
  return {
    chunks,
    ends,
    end,
    running,
    came: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (chunks.length >= count) resolve();
        };
        look();
      }),
  };
}

const numbers = (to: number): number[] => Array.from({ length: to }, (_, i) => i);
const upTo32 = (count: unknown): boolean => (count as number) >= 32 && (count as number) <= 33;

describe("a stream", () => {
  test.each([
    ["count", "a generator"],
    ["countLater", "an async generator"],
    ["readable", "a Readable"],
    ["laterIterable", "a promise of an AsyncIterable"],
    ["ownIterable", "an AsyncIterable without return"],
  ])("of %s (%s) brings every chunk in order, then its end", async (name) => {
    await using pool = openPool();
    const stream = open(pool, name, [1_000]);
    expect(await stream.end).toEqual({ last: null });
    expect(stream.chunks).toEqual(numbers(1_000));
    expect(pool.status().inFlight).toBe(0);
  });

  test("is produced only as far as its consumer has credit, and goes on with it", async () => {
    await using pool = openPool();
    const stream = open(pool, "endless", [], { greedy: false });
    await stream.came(32);
    expect(await run(pool, "producedSoFar", [], { module })).toSatisfy(upTo32);
    expect(stream.chunks).toEqual(numbers(32));
    stream.running.grant(15);
    expect(await run(pool, "producedSoFar", [], { module })).toSatisfy(upTo32);
    stream.running.grant(1);
    await stream.came(48);
    expect(stream.chunks).toEqual(numbers(48));
    stream.running.cancel("disconnected");
    await run(pool, "noting", ["endless ended"], { module });
  });

  test("of big chunks is bounded by their size, and is not stuck by it", async () => {
    await using pool = openPool();
    const size = 300 * 1024;
    const stream = open(pool, "big", [size], { greedy: false });
    await stream.came(4);
    expect(await run(pool, "producedSoFar", [], { module })).toBe(4);
    for (let taken = 4; taken < 40; taken += 4) {
      stream.running.grant(4);
      await stream.came(taken + 4);
      expect(await run(pool, "producedSoFar", [], { module })).toBe(taken + 4);
    }
  });

  test.each([
    ["endless", "endless ended"],
    ["listening", "listening ended"],
    ["silentReadable", "destroyed"],
    ["silentWebStream", "web stream cancelled"],
  ])("that is cancelled ends its source (%s), is told nothing more, and gives its place back", async (name, note) => {
    await using pool = openPool({ maxInFlight: 2 });
    const stream = open(pool, name, [], { withInfo: true });
    if (name !== "silentReadable") await stream.came(1);
    else await run(pool, "producedSoFar", [], { module });
    stream.running.cancel("cancelled");
    const before = stream.chunks.length;
    await run(pool, "noting", [note], { module });
    await run(pool, "producedSoFar", [], { module });
    expect(stream.chunks).toHaveLength(before);
    expect(stream.ends).toEqual([]);
    expect(pool.status().inFlight).toBe(0);
  });

  test("fails with what its function throws, after the chunks before", async () => {
    await using pool = openPool();
    const stream = open(pool, "throwsAfter", [3]);
    expect(await stream.end).toMatchObject({
      error: { code: "failed", reason: "broken", message: "the shelf broke" },
      begun: true,
    });
    expect(stream.chunks).toEqual([0, 1, 2]);
  });

  test("fails when a chunk cannot be encoded, is too big, or when there is nothing to stream", async () => {
    await using pool = openPool();
    const bigint = open(pool, "yieldsBigint");
    expect(await bigint.end).toMatchObject({ error: { code: "internal" } });
    expect(bigint.chunks).toEqual([1]);
    const big = open(pool, "big", [100], { maxResultBytes: 99 });
    expect(await big.end).toMatchObject({ error: { code: "internal" } });
    expect(await open(pool, "noStream").end).toMatchObject({ error: { code: "internal" } });
    expect(await open(pool, "noSuchFunction").end).toMatchObject({ error: { code: "internal" }, begun: false });
    expect(pool.status().inFlight).toBe(0);
  });

  test("ends unavailable when its thread dies", async () => {
    await using pool = openPool();
    const neighbour = open(pool, "silent");
    await neighbour.came(1);
    const stream = open(pool, "exitsAfter", [3]);
    expect(await stream.end).toMatchObject({ error: { code: "unavailable" }, begun: true });
    expect(await neighbour.end).toMatchObject({ error: { code: "unavailable" }, begun: true });
    expect(stream.chunks).toEqual([0, 1, 2]);
    expect(stream.ends).toHaveLength(1);
    expect(await open(pool, "count", [2]).end).toEqual({ last: null });
  });
});

describe("a function that writes its stream itself", () => {
  test("brings every chunk in order, waiting for credit", async () => {
    await using pool = openPool();
    const stream = open(pool, "writes", [500], { withInfo: true });
    expect(await stream.end).toEqual({ last: null });
    expect(stream.chunks).toEqual(numbers(500));
  });

  test("may go on after it has returned, and end with a last chunk", async () => {
    await using pool = openPool();
    const stream = open(pool, "writesFromTimer", [], { withInfo: true });
    expect(await stream.end).toEqual({ last: "last" });
    expect(stream.chunks).toEqual(["first"]);
  });

  test("can fail, without the client seeing an ordinary error's text", async () => {
    await using pool = openPool();
    const stream = open(pool, "writesError", [], { withInfo: true });
    expect(await stream.end).toMatchObject({
      error: { code: "internal", message: "Internal Server Error", cause: { message: "secret" } },
    });
    expect(stream.chunks).toEqual([1]);
  });

  test("need not wait for a burst: it is kept until there is credit", async () => {
    await using pool = openPool();
    const stream = open(pool, "burst", [], { withInfo: true });
    expect(await stream.end).toEqual({ last: null });
    expect(stream.chunks).toEqual(numbers(500));
  });

  test("but fails when it never waits", async () => {
    await using pool = openPool();
    const stream = open(pool, "floods", [], { withInfo: true, greedy: false });
    const end = await stream.end;
    expect(end).toMatchObject({ error: { code: "internal" } });
    expect(("error" in end && (end.error.cause as Error).message) || "").toContain("without waiting");
  });

  test("produces no further than its credit, and hears that it is over", async () => {
    await using pool = openPool();
    const stream = open(pool, "writesWithoutEnd", [], { withInfo: true, greedy: false });
    await stream.came(32);
    expect(await run(pool, "producedSoFar", [], { module })).toBe(32);
    stream.running.cancel("disconnected");
    await run(pool, "noting", ["writer: cancelled"], { module });
    await run(pool, "producedSoFar", [], { module });
    expect(pool.status().inFlight).toBe(0);
  });
});

test("an open circuit closes at the first chunk of its trial: a stream may never end", async () => {
  await using pool = openPool({ circuitBreakerThreshold: 1, circuitBreakerCooldownMs: 50 });
  expect(await open(pool, "healing").end).toMatchObject({ error: { code: "internal" } });
  expect(pool.status().openCircuits).toHaveLength(1);
  await run(pool, "recover", [], { module });
  let stream: TestStream;
  do {
    stream = open(pool, "healing");
    await Promise.race([stream.came(1), stream.end]);
    // A refusal comes at once: the cooldown's timer must have its turn.
    await new Promise(setImmediate);
  } while (stream.chunks.length === 0);
  expect(pool.status().openCircuits).toEqual([]);
  const other = open(pool, "healing");
  await other.came(1);
  expect(other.chunks).toEqual(["well"]);
});
