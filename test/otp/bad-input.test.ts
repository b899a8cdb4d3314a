import vm from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { setup } from "xstate";
import {
  call,
  cast,
  createRegistry,
  exitOf,
  fromDynamicSupervisor,
  fromGenServer,
  fromResource,
  fromSupervisor,
  isAlive,
  kill,
  monitor,
  type RestartType,
  type System,
  send,
  startChild,
  startSystem,
  stop,
  systemClock,
  terminateChild,
  whichChildren,
} from "../../src/otp.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const idle = fromResource(() => () => undefined);
const silent = fromGenServer({
  init: () => ({}),
  handleCall: { ask: () => new Promise<string>(() => undefined) },
});

/** As callers in JavaScript have them: nothing is known of what they are given. */
const callAny = call as (ref: unknown, name: string) => Promise<unknown>;
const castAny = cast as (ref: unknown, name: string) => void;

const systems: System[] = [];
afterEach(async () => {
  for (const system of systems.splice(0)) await system.shutdown();
});

function start(clock = new SimulatedClock()) {
  const system = startSystem({
    name: "root",
    clock,
    children: [
      { id: "silent", name: "silent", logic: silent },
      { id: "idle", name: "idle", logic: idle },
    ],
  });
  systems.push(system);
  return system;
}

/** What `run` throws, or rejects with. */
async function errorOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  return null;
}

describe("a wrong child spec", () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ["nothing at all", undefined, "startChild: the child spec: must be a map, got nothing"],
    ["no id", { logic: idle }, "the child spec: id must be a non-empty string that is no whole number, got nothing"],
    [
      "a number as id",
      { id: "12", logic: idle },
      'the child spec "12": id must be a non-empty string that is no whole',
    ],
    ["no logic", { id: "a" }, 'the child spec "a": logic must be what fromGenServer, fromSupervisor,'],
    ["a class as logic", { id: "a", logic: class {} }, "is, got function"],
    [
      "a wrong restart",
      { id: "a", logic: idle, restart: "always" },
      'the child spec "a": restart must be "permanent", "transient" or "temporary", got "always"',
    ],
    [
      "a wrong shutdown",
      { id: "a", logic: idle, shutdown: -1 },
      'shutdown must be "brutal_kill" or "infinity" or a number of milliseconds, got -1',
    ],
    ["a wrong type", { id: "a", logic: idle, type: "task" }, 'type must be "worker" or "supervisor", got "task"'],
    ["a wrong significance", { id: "a", logic: idle, significant: 1 }, "significant must be true or false, got 1"],
    ["an empty name", { id: "a", logic: idle, name: "" }, 'name must be a non-empty string, got ""'],
    [
      "an unknown field",
      { id: "a", logic: idle, start: () => 1 },
      "has unknown fields: start (allowed: id, logic, input, name, restart, shutdown, significant, type)",
    ],
    ["several faults", { id: "", logic: idle, restart: 1 }, "; restart must be"],
  ];

  it.each(cases)("with %s is refused by name wherever it is given", async (_what, spec, message) => {
    const system = start();
    const tail = message.replace("startChild: ", "");
    const refused = { code: "invalid_option", message: expect.stringContaining(tail) };
    expect(await errorOf(() => startChild(system.root, spec as never))).toMatchObject(refused);
    expect(await errorOf(() => fromSupervisor({ children: [spec as never] }))).toMatchObject(refused);
    expect(await errorOf(() => startSystem({ name: "b", children: [spec as never] }))).toMatchObject(refused);
    expect(whichChildren(system.root)).toHaveLength(2);
  });

  it("that has another's id, or name, is told whose it is", async () => {
    const system = start();
    const twice = [
      { id: "a", logic: idle },
      { id: "a", logic: idle },
    ];
    const sameId = 'fromSupervisor: two children have the id "a"';
    expect(await errorOf(() => fromSupervisor({ children: twice }))).toMatchObject({ message: sameId });
    const below = fromSupervisor({ children: [{ id: "deep", name: "shared", logic: idle }] });
    const named = [
      { id: "below", logic: below },
      { id: "a", name: "shared", logic: idle },
    ];
    expect(await errorOf(() => startSystem({ name: "b", children: named }))).toMatchObject({
      code: "invalid_option",
      message: 'startSystem: names must be unique, got "shared" for two children, "deep" and "a"',
    });
    expect(await errorOf(() => startChild(system.root, { id: "idle", logic: idle }))).toMatchObject({
      code: "already_started",
      message: 'The supervisor "root" has a child "idle" already',
    });
    expect(await errorOf(() => startChild(system.root, { id: "b", name: "idle", logic: idle }))).toMatchObject({
      code: "already_started",
      message: 'The name "idle" of child "b" is taken by a living actor',
    });
  });
});

describe("wrong options", () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      "a strategy",
      () => fromSupervisor({ strategy: "one_for_none" as never, children: [] }),
      'fromSupervisor: strategy must be "one_for_one", "one_for_all" or "rest_for_one", got "one_for_none"',
    ],
    [
      "an intensity",
      () => fromSupervisor({ intensity: { maxRestarts: -1, withinMs: 0.5 }, children: [] }),
      "fromSupervisor: intensity maxRestarts must be a whole number of at least 0, got -1",
    ],
    [
      "half an intensity",
      () => fromDynamicSupervisor({ intensity: { maxRestarts: 1 } as never }),
      "fromDynamicSupervisor: intensity withinMs must be a number of milliseconds of at least 0, got nothing",
    ],
    [
      "an auto-shutdown",
      () => fromSupervisor({ autoShutdown: "always" as never, children: [] }),
      'fromSupervisor: autoShutdown must be "never", "any_significant" or "all_significant", got "always"',
    ],
    ["a number of children", () => fromDynamicSupervisor({ maxChildren: 0 }), "maxChildren must be a whole number of"],
    ["children", () => fromSupervisor({ children: {} as never }), "children must be a list of child specs, got map"],
    ["a server without init", () => fromGenServer({} as never), "fromGenServer: init must be a function, got nothing"],
    [
      "a server's handlers",
      () => fromGenServer({ init: () => 1, handleCall: { get: 1 as never } }),
      "fromGenServer: handleCall must be an object of functions, got map",
    ],
    [
      "a server's fields",
      () => fromGenServer({ init: () => 1, handleCalls: {} } as never),
      "unknown fields: handleCalls",
    ],
    ["a resource", () => fromResource({} as never), "fromResource: open must be a function, got map"],
    ["a system's name", () => startSystem({ name: "", children: [] }), "startSystem: name must be a non-empty string"],
    ["a system's clock", () => startSystem({ name: "a", clock: {} as never, children: [] }), "clock must be a clock"],
    [
      "what watches",
      () => startSystem({ name: "a", inspect: 1 as never, children: [] }),
      "inspect must be a function,",
    ],
    ["a registry's keys", () => createRegistry({ keys: "some" as never }), 'keys must be "unique" or "duplicate", got'],
  ];

  it.each(cases)("are refused by name: %s", async (_what, run, message) => {
    const refused = { code: "invalid_option", message: expect.stringContaining(message) };
    expect(await errorOf(run)).toMatchObject(refused);
  });

  it("of a call or a request are refused by name", async () => {
    const system = start();
    const ref = system.whereis("silent");
    expect(await errorOf(() => call(ref, "ask", undefined, { timeoutMs: -1 }))).toMatchObject({
      code: "invalid_option",
      message: 'call "ask": timeoutMs must be a number of milliseconds of at least 0 or "infinity", got -1',
    });
    expect(await errorOf(() => terminateChild(system.root, "idle", { timeout: 1 } as never))).toMatchObject({
      message: "terminateChild: has unknown fields: timeout (allowed: timeoutMs)",
    });
  });
});

describe("whoever is asked", () => {
  it("and is nobody, is told as noproc, and told things nobody takes amiss", async () => {
    const system = start();
    const nobody = system.whereis("nobody");
    expect(await errorOf(() => callAny(nobody, "ask"))).toMatchObject({ code: "noproc" });
    expect(await errorOf(() => startChild(undefined, { id: "a", logic: idle }))).toMatchObject({ code: "noproc" });
    expect(await errorOf(() => whichChildren(undefined))).toMatchObject({ code: "noproc" });
    castAny(nobody, "set");
    send(nobody, { type: "news" });
    await system.shutdown();
    expect(await errorOf(() => whichChildren(system.root))).toMatchObject({
      code: "noproc",
      message: 'whichChildren: the supervisor "root" is not alive',
    });
  });

  it.each([
    ["a promise", Promise.resolve(), 'call "ask" takes the reference of an actor, got a promise: await it first'],
    ["a name", "silent", 'takes the reference of an actor, got "silent"'],
    ["null", null, "takes the reference of an actor, got null"],
    ["a map", { id: "silent" }, "takes the reference of an actor, got map"],
  ])("and is no actor but %s, is refused by name", async (_what, ref, message) => {
    const refused = { code: "invalid_request", message: expect.stringContaining(message) };
    expect(await errorOf(() => callAny(ref, "ask"))).toMatchObject(refused);
    const general = { code: "invalid_request", message: expect.stringContaining("takes the reference of an actor") };
    for (const run of [
      () => castAny(ref, "set"),
      () => send(ref as never, { type: "a" }),
      () => monitor(ref as never, () => undefined),
      () => startChild(ref as never, { id: "a", logic: idle }),
    ]) {
      expect(await errorOf(run)).toMatchObject(general);
    }
  });

  it("and is no supervisor, is refused by name", async () => {
    const system = start();
    expect(await errorOf(() => startChild(system.whereis("idle") as never, { id: "a", logic: idle }))).toMatchObject({
      code: "invalid_request",
      message: 'startChild takes the reference of a supervisor, got that of "idle"',
    });
  });

  it("and never answers, is given up with the time and the name of both", async () => {
    const clock = new SimulatedClock();
    const system = start(clock);
    const asked = errorOf(() => call(system.whereis("silent"), "ask"));
    await clock.advanceAsync(5_000);
    expect(await asked).toMatchObject({ code: "timeout", message: 'ask: "silent" has not answered within 5000 ms' });
  });
});

describe("what is no server", () => {
  const machine = setup({}).createMachine({ initial: "open", states: { open: {} } });

  it("and what has no such handler, is refused at once, by name, and goes on unharmed", async () => {
    const system = start();
    await startChild(system.root, { id: "order", name: "order", logic: machine });
    const made = "takes the reference of a server, which fromGenServer makes, got that of";
    const cases: readonly (readonly [unknown, string, string, string])[] = [
      [system.whereis("order"), "pay", "invalid_request", `${made} "order", an actor of XState's: send it an event`],
      [system.whereis("idle"), "pay", "invalid_request", `${made} "idle", a resource: send it an event`],
      [system.root, "pay", "invalid_request", `${made} "root", a supervisor`],
      [system.whereis("silent"), "pay", "not_found", 'the server "silent" has no handler of that name; it has '],
      [system.whereis("silent"), "constructor", "not_found", "has no handler of that name; it has "],
    ];
    for (const [ref, name, code, message] of cases) {
      const refused = { code, message: expect.stringContaining(message) };
      expect(await errorOf(() => callAny(ref, name))).toMatchObject(refused);
      expect(await errorOf(() => castAny(ref, name))).toMatchObject(refused);
    }
    expect(await errorOf(() => callAny(system.whereis("silent"), "pay"))).toMatchObject({
      message: 'call "pay": the server "silent" has no handler of that name; it has "ask"',
    });
    await settled();
    expect(whichChildren(system.root).map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  });
});

describe("a system that does not start", () => {
  const broken = fromGenServer({
    init: (): number => {
      throw new Error("no connection");
    },
  });

  it("names the child that failed, whichever supervisor it is below, and carries the cause", async () => {
    const below = fromSupervisor({ children: [{ id: "db", logic: broken }] });
    const child = 'The child "db" did not start: no connection';
    const cause = new Error("no connection");
    expect(await errorOf(() => startSystem({ name: "a", children: [{ id: "db", logic: broken }] }))).toMatchObject({
      code: "failed",
      message: child,
      cause,
    });
    expect(await errorOf(() => startSystem({ name: "a", children: [{ id: "below", logic: below }] }))).toMatchObject({
      code: "failed",
      message: `The child "below" did not start: ${child}`,
      cause: { code: "failed", message: child, cause },
    });
  });

  it("because a child's table is another's names the child", async () => {
    const shelf = fromGenServer({ init: (_input: undefined, server) => server.table("shelf", () => new Map()) });
    const children = ["a", "b"].map((id) => ({ id, logic: shelf }));
    expect(await errorOf(() => startSystem({ name: "shop", children }))).toMatchObject({
      code: "failed",
      message: 'The child "b" did not start: The table "shelf" is owned by the living actor "a"',
      cause: { code: "already_started" },
    });
  });

  it("whose clock does not tell the time is told so", async () => {
    const clock = { ...systemClock, now: () => Number.NaN };
    expect(await errorOf(() => startSystem({ name: "a", clock, children: [] }))).toMatchObject({
      code: "invalid_option",
      message: "startSystem: clock must return milliseconds, a finite number, from now(), got NaN",
    });
  });
});

describe("what a host does later to what it gave", () => {
  it("concerns no child that was started with it", async () => {
    const system = start();
    const spec: { id: string; logic: typeof idle; restart: RestartType } = {
      id: "a",
      logic: idle,
      restart: "permanent",
    };
    const ref = await startChild(system.root, spec);
    Object.assign(spec, { id: "b", restart: "temporary", logic: null });
    kill(ref);
    expect(whichChildren(system.root).at(-1)).toMatchObject({ id: "a", status: "running", restarts: 1 });
  });

  it("is done by a class, perhaps, whose methods keep their object", async () => {
    class Shelf {
      readonly #items = ["apple"];
      init() {
        return this.#items;
      }
      handleCall = { first: (items: readonly string[]) => items[0] };
    }
    const system = start();
    const ref = await startChild(system.root, { id: "shelf", logic: fromGenServer(new Shelf()) });
    expect(await call(ref, "first")).toBe("apple");
  });
});

describe("a start", () => {
  it("that waits behind a stop which hangs, is given up when its caller says so", async () => {
    const clock = new SimulatedClock();
    const system = start(clock);
    const stubborn = fromResource(() => ({ close: () => undefined, shutdown: () => new Promise(() => undefined) }));
    await startChild(system.root, { id: "stubborn", logic: stubborn, shutdown: 60_000 });
    const stopped = terminateChild(system.root, "stubborn");
    const asked = errorOf(() => startChild(system.root, { id: "late", logic: idle }, { timeoutMs: 1_000 }));
    await clock.advanceAsync(1_000);
    expect(await asked).toMatchObject({
      code: "timeout",
      message: 'startChild: "root" has not answered within 1000 ms',
    });
    await clock.advanceAsync(60_000);
    await stopped;
    await settled();
    expect(whichChildren(system.root).map(({ id }) => id)).toContain("late");
  });

  it("whose init gives a promise, is refused, and the promise's rejection harms nobody", async () => {
    const system = start();
    const slow = fromGenServer({ init: async () => Promise.reject(new Error("not there yet")) });
    expect(await errorOf(() => startChild(system.root, { id: "slow", logic: slow }))).toMatchObject({
      code: "failed",
      message: 'The child "slow" did not start: init of "slow" must return the state, got a promise',
    });
    await settled();
  });
});

describe("what is opened", () => {
  it.each([
    ["a promise", async () => () => undefined, "a promise"],
    ["a promise that rejects", () => Promise.reject(new Error("no connection")), "a promise"],
    ["nothing", () => undefined, "nothing"],
    ["what cannot be closed", () => ({ shutdown: () => undefined }), "map"],
  ])("is refused where it is %s, and harms nobody", async (_what, open, got) => {
    const system = start();
    const logic = fromResource(open as never);
    const told = `open of "db" must return how to close it, or an object with close, got ${got}`;
    expect(await errorOf(() => startChild(system.root, { id: "db", logic }))).toMatchObject({
      code: "failed",
      message: `The child "db" did not start: ${told}`,
    });
    await settled();
  });
});

describe("a resource's own functions", () => {
  it("may be asynchronous: a rejection of receive crashes the actor, one of close harms nobody", async () => {
    const system = start();
    const close = async () => {
      throw new Error("closed already");
    };
    const receive = async () => {
      throw new Error("not understood");
    };
    for (const open of [() => close, () => ({ close, receive })]) {
      const ref = await startChild(system.root, { id: "door", logic: fromResource(open), restart: "temporary" });
      send(ref, { type: "open" });
      await settled();
      if (isAlive(ref)) await terminateChild(system.root, "door");
      await settled();
      expect(exitOf(ref)).toEqual(open() === close ? "shutdown" : { error: new Error("not understood") });
    }
  });
});

describe("what handlers return", () => {
  const reasons: readonly (readonly [string, unknown, string])[] = [
    ["an error", new Error("the market is closed"), "an error: give it as { error }"],
    ["a word of one's own", "done", '"done"'],
    ["nothing", undefined, "nothing"],
    ["a map without an error", { error: "no" }, "map"],
  ];

  it.each(reasons)("stop for %s is refused by name", async (_what, reason, got) => {
    const system = start();
    const logic = fromGenServer({ init: () => 0, handleCall: { end: () => stop(reason as never, "bye") } });
    const ref = await startChild(system.root, { id: "a", logic, restart: "temporary" });
    const message = `stop takes "normal", "shutdown", "killed" or { error } with an Error, got ${got}`;
    expect(await errorOf(() => call(ref, "end"))).toMatchObject({
      code: "noproc",
      cause: { code: "invalid_request", message, ...(reason instanceof Error ? { cause: reason } : {}) },
    });
  });

  it("may be anything with a method then, as a query is, or another realm's promise", async () => {
    const clock = new SimulatedClock();
    const system = start(clock);
    const ran: string[] = [];
    const query = (name: string, error?: Error) => ({
      // biome-ignore lint/suspicious/noThenProperty: this is what is tested
      then(resolve: (value: string) => void, reject: (error: Error) => void) {
        ran.push(name);
        if (error === undefined) resolve(name);
        else reject(error);
      },
    });
    const logic = fromGenServer({
      init: () => 0,
      handleCall: {
        never: (): Promise<string> => vm.runInNewContext("new Promise(() => undefined)"),
        select: () => query("select") as unknown as PromiseLike<string>,
      },
      handleCast: { insert: () => query("insert"), fail: () => query("fail", new Error("no such table")) },
      terminate: () => query("terminate"),
    });
    const ref = await startChild(system.root, { id: "db", logic, restart: "temporary" });
    expect(await call(ref, "select")).toBe("select");
    cast(ref, "insert");
    const asked = errorOf(() => call(ref, "never", undefined, { timeoutMs: 100 }));
    await clock.advanceAsync(100);
    expect(await asked).toMatchObject({ code: "timeout" });
    cast(ref, "fail");
    await settled();
    expect(exitOf(ref)).toMatchObject({ error: { message: "no such table" } });
    expect(ran).toEqual(["select", "insert", "fail", "terminate"]);
  });
});
