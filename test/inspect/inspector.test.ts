import { describe, expect, it } from "vitest";
import { type AnyActorRef, assign, setup } from "xstate";
import { call, fromGenServer, type GenServerRefFrom, refuse } from "../../src/actor/gen-server/gen-server.ts";
import { withStatus } from "../../src/actor/inspection/format-status.ts";
import type {
  InspectedEvent,
  InspectedSnapshot,
  Inspection,
  InspectionObserver,
} from "../../src/actor/inspection/inspection.ts";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import { fromResource } from "../../src/actor/resource.ts";
import { fromDynamicSupervisor } from "../../src/actor/supervisor/dynamic-supervisor.ts";
import { fromSupervisor } from "../../src/actor/supervisor/supervisor.ts";
import { type SupervisorRef, startChild } from "../../src/actor/supervisor/supervisor-requests.ts";
import { startSystem } from "../../src/actor/system.ts";
import { recordEvents } from "../support/record-events.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const counter = fromGenServer({
  init: (start: number) => ({ count: start, password: "hunter2" }),
  handleCall: {
    add(state, by: number) {
      if (Number.isNaN(by)) throw new RangeError("cannot add what is no number");
      if (by < 0) return refuse(new Error("not below zero"));
      state.count += by;
      return state.count;
    },
  },
  formatStatus: ({ count }) => ({ count }),
});
type CounterRef = GenServerRefFrom<typeof counter>;

const idle = fromResource(() => () => undefined);
const counterSpec = { id: "counter", name: "counter", logic: counter, input: 5 };

function start(inspect?: InspectionObserver | Inspection) {
  const children = [
    counterSpec,
    { id: "crowd", name: "crowd", logic: fromDynamicSupervisor() },
    { id: "inner", logic: fromSupervisor({ children: [{ id: "idle", logic: idle }] }) },
  ];
  const intensity = { maxRestarts: 100, withinMs: 1_000 };
  return startSystem({ name: "root", intensity, children, ...(inspect === undefined ? {} : { inspect }) });
}

/** Keeps what an observer hears, as a serialiser would have it at once, one line an event. */
function record() {
  const events: InspectedEvent[] = [];
  const lines: string[] = [];
  const observer = (event: InspectedEvent) => {
    events.push(event);
    lines.push(lineOf(event));
  };
  return { observer, events, lines };
}

function lineOf(event: InspectedEvent): string {
  const { path } = event.actorRef;
  switch (event.type) {
    case "@xstate.actor":
      return `${path} is there`;
    case "@xstate.event":
      return `${path} takes ${event.event.type}`;
    case "@xstate.snapshot":
      return `${path} is ${event.snapshot.status} after ${event.event.type}`;
    default:
      return `${path} ${event.type}`;
  }
}

function snapshotsOf(events: readonly InspectedEvent[], id: string): InspectedSnapshot[] {
  return events.flatMap((event) =>
    event.type === "@xstate.snapshot" && event.actorRef.id === id ? [event.snapshot as InspectedSnapshot] : [],
  );
}

describe("an observer", () => {
  it("sees what each actor says of itself, and nothing else", async () => {
    const { observer, events } = record();
    await using system = disposable(start(observer));
    const ref = system.whereis<CounterRef>("counter");
    await call(ref, "add", 2);
    await expect(call(ref, "add", -1)).rejects.toThrow("not below zero");
    expect(snapshotsOf(events, "counter").at(-1)).toEqual({
      status: "active",
      output: undefined,
      error: undefined,
      context: { count: 7 },
    });
    const calls = events.filter((event) => event.type === "@xstate.event" && event.event.type === "gen_server.call");
    expect(calls.map((event) => "event" in event && event.event)).toEqual([
      { type: "gen_server.call", name: "add" },
      { type: "gen_server.call", name: "add" },
    ]);
    expect(snapshotsOf(events, "root").at(-1)?.context).toEqual({
      strategy: "one_for_one",
      restartsInPeriod: 0,
      count: 3,
      children: ["counter", "crowd", "inner"].map((id) => ({ id, status: "running", restarts: 0 })),
    });
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("that comes late is first told of those that live, each below its parent", async () => {
    await using system = disposable(start());
    const { observer, events, lines } = record();
    system.inspect(observer);
    expect(lines).toEqual([
      "root is there",
      "root/counter is there",
      "root/crowd is there",
      "root/inner is there",
      "root/inner/idle is there",
    ]);
    expect(events.map(({ actorRef }) => actorRef._parent?.path)).toEqual([
      undefined,
      "root",
      "root",
      "root",
      "root/inner",
    ]);
    expect(events.map(({ actorRef }) => actorRef.name)).toEqual([null, "counter", "crowd", null, null]);
    expect(events.map(({ actorRef }) => actorRef.behaviour)).toEqual([
      "supervisor",
      "gen_server",
      "dynamic_supervisor",
      "supervisor",
      "resource",
    ]);
    expect(events[1]?.actorRef.getSnapshot()).toMatchObject({ status: "active", context: { count: 5 } });
    expect(events[4]?.rootId).toBe(events[0]?.actorRef.sessionId);
  });

  it("sees the state of a machine", async () => {
    const lamp = withStatus(
      setup({ types: { context: {} as { secret: string; switched: number } } }).createMachine({
        id: "lamp",
        context: { secret: "hunter2", switched: 0 },
        initial: "off",
        states: {
          off: { on: { go: { target: "on", actions: assign({ switched: ({ context }) => context.switched + 1 }) } } },
          on: {},
        },
      }),
      ({ context: { switched } }) => ({ switched }),
    );
    const { observer, events } = record();
    await using system = disposable(
      startSystem({ name: "root", children: [{ id: "lamp", name: "lamp", logic: lamp }], inspect: observer }),
    );
    system.whereis("lamp")?.send({ type: "go", secret: "hunter2" });
    expect(snapshotsOf(events, "lamp").at(-1)).toMatchObject({ value: "on", context: { switched: 1 } });
    expect(events.some(({ type }) => type === "@xstate.microstep")).toBe(true);
    expect(events.find(({ actorRef }) => actorRef.id === "lamp")?.actorRef.logic.config).toMatchObject({
      initial: "off",
    });
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("is given what any serialiser takes, and bounded, whatever actors say of themselves", async () => {
    const cycle: Record<string, unknown> = { big: 1n };
    cycle.self = cycle;
    const strange = fromGenServer({
      init: () => undefined,
      formatStatus: () => ({
        cycle,
        long: "x".repeat(10_000),
        many: Array.from({ length: 1_000 }, (_, i) => i),
        map: new Map([["secret", "hunter2"]]),
        url: "ws://user:hunter2@host/path?token=hunter2 is gone",
        at: new Date(0),
        nothing: Number.NaN,
        run: () => "hunter2",
      }),
    });
    const broken = fromGenServer({
      init: () => ({ password: "hunter2" }),
      formatStatus: () => {
        throw new Error("no status today");
      },
    });
    const silent = fromGenServer({ init: () => undefined });
    const { observer, events } = record();
    const children = [
      { id: "strange", name: "strange", logic: strange },
      { id: "broken", logic: broken },
      { id: "silent", logic: silent },
    ];
    await using system = disposable(startSystem({ name: "root", children, inspect: observer }));
    expect(system.whereis("strange")).toBeDefined();
    const { cycle: shownCycle, long, many, ...rest } = snapshotsOf(events, "strange").at(-1)!.context;
    expect(rest).toEqual({
      map: "[Map]",
      url: "ws://…@host/path?… is gone",
      at: "1970-01-01T00:00:00.000Z",
      nothing: "NaN",
    });
    expect(JSON.stringify([shownCycle, long, many]).length).toBeLessThan(1_000);
    expect(snapshotsOf(events, "broken").at(-1)?.context).toEqual({
      unreadable: { name: "Error", message: "no status today" },
    });
    expect(snapshotsOf(events, "silent").at(-1)?.context).toEqual({});
    expect(JSON.stringify(events)).not.toContain("hunter2");
  });

  it("sees the first of many children, and how many there are", async () => {
    const { observer, events } = record();
    await using system = disposable(start(observer));
    const crowd = system.whereis<SupervisorRef>("crowd");
    for (let i = 0; i < 1_000; i++) await startChild(crowd, { id: `c${i}`, logic: idle, restart: "temporary" });
    const { count, children } = snapshotsOf(events, "crowd").at(-1)!.context as { count: number; children: unknown[] };
    expect(count).toBe(1_000);
    expect(children).toHaveLength(20);
  });

  it("cannot touch what it sees", async () => {
    const { observer, events } = record();
    await using _system = disposable(start(observer));
    expect(() => events[0]?.actorRef.send()).toThrow('Nothing can be sent to "root": it is being inspected');
  });

  it("is refused when it is none", async () => {
    await using system = disposable(start());
    for (const wrong of [undefined, null, 1, {}, { next: 1 }, { observer: {} }, { observer: () => 1, filter: "x" }]) {
      expect(() => system.inspect(wrong as never)).toThrow(/^inspect must be given a function, an observer with next/);
    }
  });
});

describe("a crash is seen", () => {
  const aboutCounter = (lines: readonly string[]) => lines.filter((line) => line.startsWith("root/counter "));

  it("of a handler that throws: its error, then its supervisor, then its successor", async () => {
    const { observer, events, lines } = record();
    await using system = disposable(start(observer));
    lines.length = 0;
    await expect(call(system.whereis<CounterRef>("counter"), "add", Number.NaN)).rejects.toThrow("crashed");
    expect(lines).toEqual([
      "root/counter takes gen_server.call",
      "root/counter is error after xstate.error.actor.counter",
      "root takes xstate.error.actor.counter",
      "root/counter is there",
      "root/counter takes xstate.init",
      "root/counter is active after xstate.init",
      "root is active after xstate.error.actor.counter",
    ]);
    const crashed = snapshotsOf(events, "counter").find(({ status }) => status === "error");
    expect(crashed).toEqual({
      status: "error",
      output: undefined,
      error: { name: "RangeError", message: "cannot add what is no number" },
      context: { count: 5 },
      exit: "crashed",
    });
    expect(snapshotsOf(events, "root").at(-1)?.context).toMatchObject({
      restartsInPeriod: 1,
      children: [{ id: "counter", status: "running", restarts: 1 }, {}, {}],
    });
    const sessions = new Set(events.flatMap(({ actorRef }) => (actorRef.id === "counter" ? [actorRef.sessionId] : [])));
    expect(sessions.size).toBe(2);
  });

  it("of an actor that is killed, with the reason or without", async () => {
    const { observer, events, lines } = record();
    await using system = disposable(start(observer));
    kill(system.whereis("counter") as AnyActorRef);
    kill(system.whereis("counter") as AnyActorRef, new Error("by the operator"));
    const ends = snapshotsOf(events, "counter").filter(({ status }) => status === "error");
    expect(ends.map(({ exit, error }) => ({ exit, error }))).toEqual([
      { exit: "killed", error: { name: "GenApiError", code: "stopped", message: 'The actor "counter" was killed' } },
      { exit: "crashed", error: { name: "Error", message: "by the operator" } },
    ]);
    expect(aboutCounter(lines).filter((line) => line.includes("is error"))).toHaveLength(2);
  });

  it("of an actor that fails in its init, which XState does not tell of, and of its successor's", async () => {
    let failures = 0;
    const flaky = fromGenServer({
      init: () => {
        if (failures > 0) throw new Error(`not yet, ${failures--}`);
        return { isReady: true };
      },
      formatStatus: ({ isReady }) => ({ isReady }),
    });
    const clock = new SimulatedClock();
    const { observer, events } = record();
    const children = [{ id: "flaky", name: "flaky", logic: flaky }];
    await using system = disposable(startSystem({ name: "root", clock, children, inspect: observer }));
    failures = 2;
    kill(system.whereis("flaky") as AnyActorRef);
    clock.advance(0);
    clock.advance(0);
    const told = snapshotsOf(events, "flaky").map(({ error, context }) => [
      (error as Error | undefined)?.message,
      context,
    ]);
    expect(told).toEqual([
      [undefined, { isReady: true }],
      ['The actor "flaky" was killed', { isReady: true }],
      ["not yet, 2", {}],
      ["not yet, 1", {}],
      [undefined, { isReady: true }],
    ]);
  });

  it("of a resource that fails at its opening", async () => {
    let isBroken = false;
    const door = fromResource(() => {
      if (isBroken) throw new Error("the door is stuck");
      return () => undefined;
    });
    const { observer, events } = record();
    const children = [{ id: "door", name: "door", logic: door, restart: "transient" as const }];
    const clock = new SimulatedClock();
    await using system = disposable(startSystem({ name: "root", clock, children, inspect: observer }));
    isBroken = true;
    kill(system.whereis("door") as AnyActorRef);
    const last = snapshotsOf(events, "door").at(-1);
    expect(last).toMatchObject({ status: "error", error: { message: "the door is stuck" }, exit: "crashed" });
    isBroken = false;
  });

  it("and so is an orderly end", async () => {
    const { observer, events } = record();
    const system = start(observer);
    await system.shutdown();
    expect(snapshotsOf(events, "counter").at(-1)).toMatchObject({ status: "done", exit: "shutdown" });
    expect(snapshotsOf(events, "root").at(-1)).toMatchObject({ status: "done", exit: "shutdown" });
  });
});

describe("a filter", () => {
  it("drops events before anything is made of them", async () => {
    let formatted = 0;
    const dear = fromGenServer({
      init: () => ({}),
      handleCast: { go: () => undefined },
      formatStatus: () => ({ formatted: ++formatted }),
    });
    const { observer, events } = record();
    const asked: unknown[] = [];
    const children = [{ id: "dear", name: "dear", logic: dear }, counterSpec];
    const inspect: Inspection = {
      observer,
      filter: (actor, type, event) => {
        asked.push([actor.path, type, event]);
        return actor.id !== "dear";
      },
    };
    await using system = disposable(startSystem({ name: "root", children, inspect }));
    system.whereis("dear")?.send({ type: "gen_server.cast", name: "go" });
    expect(formatted).toBe(0);
    expect(asked).toContainEqual(["root/dear", "@xstate.actor", null]);
    expect(asked).toContainEqual(["root/dear", "@xstate.event", "gen_server.cast"]);
    expect(asked).toContainEqual(["root/dear", "@xstate.snapshot", "gen_server.cast"]);
    expect(new Set(events.map(({ actorRef }) => actorRef.id))).toEqual(new Set(["root", "counter"]));
  });

  it("also decides whom a late observer is told of", async () => {
    await using system = disposable(start());
    const { observer, lines } = record();
    system.inspect({ observer, filter: ({ path }) => path.startsWith("root/inner/") });
    expect(lines).toEqual(["root/inner/idle is there"]);
  });
});

describe("redact", () => {
  it("has the last word on every field, in events, snapshots, ids and what is asked later", async () => {
    const { observer, events } = record();
    const redact = (key: string, value: unknown) => {
      if (key === "count") return undefined;
      if (key === "id" && value === "counter") return "c*";
      if (key === "message") throw new Error("redact");
      return value;
    };
    await using system = disposable(start({ observer, redact }));
    kill(system.whereis("counter") as AnyActorRef, new Error("counter: 5"));
    const counted = events.find(({ actorRef }) => actorRef.id === "c*");
    expect(counted?.actorRef.path).toBe("root/c*");
    expect(counted?.actorRef.getSnapshot().context).toEqual({});
    const everything = JSON.stringify([events, events.map(({ actorRef }) => actorRef.getSnapshot())]);
    expect(everything).toContain('"type":"xstate.error.actor.c*"');
    expect(everything).toContain('"message":"[withheld]"');
    expect(everything).not.toMatch(/counter(?!")/);
    expect(everything.replaceAll('"name":"counter"', "")).not.toContain("counter");
    expect(everything).not.toContain('"count":5');
  });
});

describe("an observer that fails harms nothing:", () => {
  const failing: Record<string, () => InspectionObserver | Inspection> = {
    "a function that throws": () => () => {
      throw new Error("observer");
    },
    "one that rejects": () => async () => {
      throw new Error("observer");
    },
    "a filter that throws": () => ({
      observer: () => undefined,
      filter: () => {
        throw new Error("observer");
      },
    }),
    "a filter that rejects": () => ({
      observer: () => expect.fail("told what its filter did not let through"),
      filter: (async () => {
        throw new Error("observer");
      }) as unknown as NonNullable<Inspection["filter"]>,
    }),
  };
  for (const [name, make] of Object.entries(failing)) {
    it(`${name} is detached, whether it was there at the start or came later`, async () => {
      using events = recordEvents("inspection.observer.exception");
      await using system = disposable(start(make()));
      await using other = disposable(start());
      other.inspect(make());
      const { observer, lines } = record();
      for (const { whereis, inspect } of [system, other]) {
        inspect(observer);
        expect(await call(whereis<CounterRef>("counter"), "add", 1)).toBe(6);
      }
      expect(lines.length).toBeGreaterThan(10);
      expect(events.messages.map(({ metadata }) => metadata)).toEqual([
        { error: expect.objectContaining({ message: "observer" }) },
        { error: expect.objectContaining({ message: "observer" }) },
      ]);
    });
  }

  it("a filter that promises an answer lets nothing through, and is detached", async () => {
    using events = recordEvents("inspection.observer.exception");
    await using system = disposable(start());
    const { observer, lines } = record();
    const filter = (async () => true) as unknown as NonNullable<Inspection["filter"]>;
    system.inspect({ observer, filter });
    await call(system.whereis<CounterRef>("counter"), "add", 1);
    expect(lines).toEqual([]);
    expect(events.messages).toMatchObject([
      { metadata: { error: { code: "invalid_option", message: "filter must return true or false, got a promise" } } },
    ]);
  });

  it("what its error throws or rejects with is told, too", async () => {
    using events = recordEvents("inspection.observer.exception");
    const next = () => {
      throw new Error("next");
    };
    await using system = disposable(
      start({
        next,
        error: () => {
          throw new Error("error");
        },
      }),
    );
    const error = async () => {
      throw new Error("later");
    };
    system.inspect({ next, error: error as unknown as () => void });
    await call(system.whereis<CounterRef>("counter"), "add", 1);
    expect(events.messages.map(({ metadata }) => (metadata as { error: Error }).error.message)).toEqual([
      "next",
      "error",
      "next",
      "later",
    ]);
  });

  it("once detached it hears nothing more, and detaching twice does nothing", async () => {
    await using system = disposable(start());
    const { observer, lines } = record();
    const detach = system.inspect(observer);
    detach();
    detach();
    const before = lines.length;
    await call(system.whereis<CounterRef>("counter"), "add", 1);
    expect(lines).toHaveLength(before);
  });
});

/** Shut down at the end of the test. */
function disposable<System extends { shutdown(): Promise<unknown> }>(system: System) {
  return Object.assign(system, { [Symbol.asyncDispose]: async () => void (await system.shutdown()) });
}
