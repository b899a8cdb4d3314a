import { getEventListeners } from "node:events";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  call,
  fromDynamicSupervisor,
  fromGenServer,
  isAlive,
  kill,
  type SupervisorRef,
  startChild,
  startSystem,
  Task,
  type TaskScope,
  terminateChild,
  whichChildren,
} from "../../src/otp.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const stops: (() => Promise<unknown>)[] = [];
const unheard: unknown[] = [];
const hear = (reason: unknown) => unheard.push(reason);
process.on("unhandledRejection", hear);

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await settled();
  expect(unheard.splice(0)).toEqual([]);
});

function start(maxChildren = 1_000) {
  const clock = new SimulatedClock();
  const system = startSystem({
    name: "root",
    clock,
    children: [{ id: "tasks", name: "tasks", logic: fromDynamicSupervisor({ maxChildren }) }],
  });
  stops.push(() => system.shutdown());
  return { system, clock, tasks: system.whereis("tasks") as SupervisorRef };
}

/** A function that a test lets end, and that keeps what its signal said. */
function held<Result>() {
  const { promise, resolve, reject } = withResolvers<Result>();
  let scope: TaskScope | undefined;
  const run = (given: TaskScope) => {
    scope = given;
    return promise;
  };
  return { run, resolve, reject, isAborted: () => scope?.signal.aborted };
}

function withResolvers<Result>() {
  let resolve!: (value: Result) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Result>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}

describe("a task", () => {
  it("gives what its function returns, now, later or as a promise, and its actor is gone", async () => {
    const { tasks } = start();
    expect(await Task.await(Task.async(tasks, () => 1))).toBe(1);
    expect(await Task.await(Task.async(tasks, async () => "a"))).toBe("a");
    const late = held<number>();
    const task = Task.async(tasks, late.run);
    await settled();
    expect(whichChildren(tasks).map(({ id }) => id)).toEqual([task.id]);
    late.resolve(3);
    expect(await Task.await(task)).toBe(3);
    expect(await Task.await(task)).toBe(3);
    await settled();
    expect(whichChildren(tasks)).toEqual([]);
  });

  it("that throws rejects whoever awaits it, is never started again, and harms no other", async () => {
    const { tasks } = start();
    const boom = new Error("boom");
    let runs = 0;
    const failing = Task.async(tasks, () => {
      runs += 1;
      throw boom;
    });
    const other = held<string>();
    const well = Task.async(tasks, other.run);
    await expect(Task.await(failing)).rejects.toBe(boom);
    await settled();
    other.resolve("well");
    expect(await Task.await(well)).toBe("well");
    expect(runs).toBe(1);
    expect(isAlive(tasks)).toBe(true);
  });

  it("that nobody awaits may fail unheard", async () => {
    const { tasks } = start();
    Task.async(tasks, () => Promise.reject(new Error("nobody hears of it")));
    await settled();
    await settled();
  });

  it("that takes too long is ended, and its function told", async () => {
    const { tasks, clock } = start();
    const slow = held<never>();
    const awaited = Task.await(Task.async(tasks, slow.run), 1_000);
    const refused = expect(awaited).rejects.toMatchObject({ code: "timeout" });
    await clock.advanceAsync(1_000);
    await refused;
    expect(slow.isAborted()).toBe(true);
    expect(whichChildren(tasks)).toEqual([]);
    // What it throws then is no crash.
    slow.reject(new Error("aborted"));
  });

  it("is cancelled with its caller, by its signal, by a shutdown and with its supervisor", async () => {
    const { system, tasks } = start();
    const server = await startChild(system.root, {
      id: "caller",
      logic: fromGenServer({ init: () => 0 }),
      restart: "temporary",
    });
    const controller = new AbortController();
    const all = [held<never>(), held<never>(), held<never>(), held<never>()] as const;
    const started = [
      Task.async(tasks, all[0].run, { caller: server }),
      Task.async(tasks, all[1].run, { signal: controller.signal }),
      Task.async(tasks, all[2].run),
      Task.async(tasks, all[3].run),
    ] as const;
    const outcomes = started.map((task) => Task.await(task).catch((error: { code: string }) => error.code));
    await settled();
    kill(server);
    expect(await outcomes[0]).toBe("cancelled");
    expect(all.map((each) => each.isAborted())).toEqual([true, false, false, false]);
    controller.abort();
    expect(await outcomes[1]).toBe("cancelled");
    Task.shutdown(started[2]);
    expect(await outcomes[2]).toBe("cancelled");
    await terminateChild(system.root, "tasks");
    expect(await outcomes[3]).toBe("cancelled");
    expect(all.map((each) => each.isAborted())).toEqual([true, true, true, true]);
  });

  it("that is cancelled at once never runs", async () => {
    const { tasks } = start();
    let runs = 0;
    const run = () => {
      runs += 1;
    };
    const aborted = Task.async(tasks, run, { signal: AbortSignal.abort() });
    const ended = Task.async(tasks, run);
    Task.shutdown(ended);
    await expect(Task.await(aborted)).rejects.toMatchObject({ code: "cancelled" });
    await expect(Task.await(ended)).rejects.toMatchObject({ code: "cancelled" });
    await settled();
    expect(runs).toBe(0);
    expect(whichChildren(tasks)).toEqual([]);
  });

  it("that cannot start says why", async () => {
    const { tasks, system } = start(1);
    const one = held<number>();
    const first = Task.async(tasks, one.run);
    await expect(Task.await(Task.async(tasks, () => 2))).rejects.toMatchObject({ code: "unavailable" });
    await expect(Task.await(Task.async(undefined, () => 2))).rejects.toMatchObject({ code: "noproc" });
    expect(() => Task.async(tasks, 1 as never)).toThrow("Task.async: run must be a function, got 1");
    expect(() => Task.async(tasks, () => 1, { caller: "a" as never })).toThrow(
      'caller must be the reference of an actor, got "a"',
    );
    expect(() => Task.async("tasks" as never, () => 1)).toThrow(
      'Task.async takes the reference of an actor, got "tasks"',
    );
    await expect(Task.await({} as never)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(Task.await(first, -1)).rejects.toMatchObject({ code: "invalid_option" });
    one.resolve(1);
    expect(await Task.await(first)).toBe(1);
    await system.shutdown();
  });

  it("is started and awaited by a server, which goes on meanwhile", async () => {
    const { system, tasks } = start();
    const work = held<number>();
    const server = fromGenServer({
      init: (_input: undefined, server) => ({ self: server.self, count: 0 }),
      handleCall: {
        compute: (state) => Task.await(Task.async(tasks, work.run, { caller: state.self })),
        count: (state) => ++state.count,
      },
    });
    const ref = await startChild(system.root, { id: "server", logic: server });
    const computed = call(ref, "compute");
    expect(await call(ref, "count")).toBe(1);
    work.resolve(7);
    expect(await computed).toBe(7);
  });
});

describe("a stream of tasks", () => {
  it("gives every item's result, in order or as they come, and never runs more at once than it may", async () => {
    const { tasks } = start();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ turns: fc.nat(5), fails: fc.boolean() }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.boolean(),
        async (items, maxConcurrency, ordered, isAsync) => {
          let running = 0;
          let most = 0;
          let taken = 0;
          let given = 0;
          const source = function* () {
            for (const [at, item] of items.entries()) {
              taken += 1;
              expect(taken - given).toBeLessThanOrEqual(maxConcurrency);
              yield { ...item, at };
            }
          };
          const asyncSource = async function* () {
            for (const item of source()) {
              await settled();
              yield item;
            }
          };
          const run = async ({ at, turns, fails }: { at: number; turns: number; fails: boolean }) => {
            running += 1;
            most = Math.max(most, running);
            for (let turn = 0; turn < turns; turn++) await settled();
            running -= 1;
            if (fails) throw new Error(`item ${at}`);
            return at;
          };
          const results: PromiseSettledResult<number>[] = [];
          const options = { maxConcurrency, ordered, timeoutMs: "infinity" } as const;
          const all = isAsync ? asyncSource() : source();
          for await (const result of Task.asyncStream(tasks, all, run, options)) {
            results.push(result);
            given += 1;
          }
          const seen = results.map((result) =>
            result.status === "fulfilled" ? result.value : Number(result.reason.message.slice(5)),
          );
          const expected = items.map((_item, at) => at);
          expect(ordered ? seen : seen.sort((one, other) => one - other)).toEqual(expected);
          for (const [index, at] of seen.entries()) {
            if (ordered) expect(results[index]?.status).toBe(items[at]?.fails ? "rejected" : "fulfilled");
          }
          expect(most).toBeLessThanOrEqual(maxConcurrency);
          await settled();
          expect(whichChildren(tasks)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("ends what runs when its loop is left, its signal aborts, its caller ends, or its items throw", async () => {
    const { system, tasks } = start();
    const caller = await startChild(system.root, {
      id: "c",
      logic: fromGenServer({ init: () => 0 }),
      restart: "temporary",
    });
    const controller = new AbortController();
    const endings: ((at: number) => "break" | undefined)[] = [
      () => "break",
      () => void controller.abort(),
      () => kill(caller) as undefined,
      () => undefined,
    ];
    for (const [which, ending] of endings.entries()) {
      let returned = 0;
      const signals: AbortSignal[] = [];
      const items = (function* () {
        try {
          for (let at = 0; at < 100; at++) {
            if (which === 3 && at === 5) throw new Error("no more items");
            yield at;
          }
        } finally {
          returned += 1;
        }
      })();
      const run = (at: number, { signal }: TaskScope) => {
        signals.push(signal);
        return at === 0 ? 0 : new Promise<number>(() => undefined);
      };
      const options = { maxConcurrency: 3, caller, signal: controller.signal, ordered: false };
      const limits = which === 3 ? { maxConcurrency: 10, ordered: false } : which > 1 ? { caller } : options;
      const loop = async () => {
        for await (const { status } of Task.asyncStream(tasks, items, run, limits)) {
          expect(status).toBe("fulfilled");
          if (ending(which) === "break") break;
        }
      };
      if (which === 0) await loop();
      else await expect(loop()).rejects.toThrow(which === 3 ? "no more items" : "The stream of tasks was cancelled");
      await settled();
      expect(returned).toBe(1);
      expect(signals.slice(1).every(({ aborted }) => aborted)).toBe(true);
      expect(whichChildren(tasks)).toEqual([]);
    }
  });

  it("rejects the result of a task that takes too long, and goes on", async () => {
    const { tasks, clock } = start();
    const statuses: string[] = [];
    const loop = async () => {
      const run = (at: number) => (at === 1 ? new Promise<number>(() => undefined) : at);
      for await (const { status } of Task.asyncStream(tasks, [0, 1, 2], run, { timeoutMs: 100 })) statuses.push(status);
    };
    const looped = loop();
    await clock.advanceAsync(100);
    await looped;
    expect(statuses).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("refuses wrong options by name", () => {
    const { tasks } = start();
    const stream = (options: object) => () => Task.asyncStream(tasks, [], () => 1, options);
    expect(stream({ maxConcurrency: 0 })).toThrow(
      "Task.asyncStream: maxConcurrency must be a whole number of at least 1, got 0",
    );
    expect(stream({ order: true })).toThrow("has unknown fields: order (allowed: caller,");
  });

  it("refuses what has no items by name, and takes a text's characters", async () => {
    const { tasks } = start();
    for (const items of [undefined, null, 5, {}]) {
      expect(() => Task.asyncStream(tasks, items as never, () => 1)).toThrow(
        "Task.asyncStream: items must be a list, or what can be iterated over, got ",
      );
    }
    const characters: unknown[] = [];
    for await (const result of Task.asyncStream(tasks, "ab", (character) => character)) characters.push(result);
    expect(characters).toMatchObject([{ value: "a" }, { value: "b" }]);
  });

  it("listens to its signal once, however many tasks run: Node would warn of a leak", async () => {
    const { tasks } = start();
    const controller = new AbortController();
    const first = withResolvers<number>();
    const aborted: number[] = [];
    const run = (item: number, { signal }: TaskScope) => {
      signal.addEventListener("abort", () => aborted.push(item));
      if (item === 39) first.resolve(0);
      return item === 0 ? first.promise : new Promise<number>(() => undefined);
    };
    const items = Array.from({ length: 50 }, (_, at) => at);
    const loop = async () => {
      const options = { signal: controller.signal, maxConcurrency: 40 };
      for await (const _ of Task.asyncStream(tasks, items, run, options)) {
        expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
        controller.abort();
      }
    };
    await expect(loop()).rejects.toMatchObject({ code: "cancelled" });
    await settled();
    expect(aborted).toHaveLength(40);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect(whichChildren(tasks)).toEqual([]);
  });
});
