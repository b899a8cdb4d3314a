import { describe, expect, it } from "vitest";
import { setup } from "xstate";
import { call, fromGenServer, type GenServerRefFrom } from "../../src/actor/gen-server/gen-server.ts";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import { fromResource } from "../../src/actor/resource.ts";
import { childSpec } from "../../src/actor/supervisor/child-spec.ts";
import { fromDynamicSupervisor } from "../../src/actor/supervisor/dynamic-supervisor.ts";
import { fromSupervisor } from "../../src/actor/supervisor/supervisor.ts";
import { type SupervisorRef, startChild } from "../../src/actor/supervisor/supervisor-requests.ts";
import { startSystem } from "../../src/actor/system.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const idle = fromResource(() => () => undefined);

const counter = fromGenServer({
  init: (input: { table: string }, server) => server.table(input.table, () => ({ count: 0 })),
  handleCall: {
    add: (state) => {
      state.count += 1;
      return state.count;
    },
  },
});
type Counter = GenServerRefFrom<typeof counter>;

describe("a system", () => {
  it("finds actors by name, their successors after a restart included", () => {
    const system = startSystem({ name: "root", children: [{ id: "a", name: "alpha", logic: idle }] });
    const before = system.whereis("alpha");
    expect(before).toBeDefined();
    kill(before!);
    expect(system.whereis("alpha")).toBeDefined();
    expect(system.whereis("alpha")).not.toBe(before);
    expect(system.whereis("beta")).toBeUndefined();
    expect(system.names()).toEqual(["alpha"]);
  });

  it("keeps a table through its owner's crash and frees it at the end", async () => {
    const children = [
      childSpec({ id: "counter", name: "counter", logic: counter, input: { table: "counts" } }),
      childSpec({ id: "thief", name: "thief", logic: idle }),
    ];
    const system = startSystem({ name: "root", children });
    const ref = () => system.whereis<Counter>("counter");
    await call(ref(), "add");
    await call(ref(), "add");
    kill(ref()!);
    expect(await call(ref(), "add")).toBe(3);
    expect(system.table("counts")).toEqual({ count: 3 });
    const thief = childSpec({ id: "thief 2", logic: counter, input: { table: "counts" } });
    await expect(startChild(system.root, thief)).rejects.toMatchObject({ cause: { code: "already_started" } });
    await system.shutdown();
    expect(system.table("counts")).toBeUndefined();
  });

  it("closes with the error that ended its root, and the process goes on", async () => {
    const system = startSystem({
      name: "root",
      intensity: { maxRestarts: 0, withinMs: 1 },
      children: [{ id: "a", name: "a", logic: idle }],
    });
    kill(system.whereis("a")!, new Error("the last straw"));
    expect(await system.closed).toEqual({
      reason: "error",
      error: expect.objectContaining({
        code: "max_restarts",
        message: expect.stringContaining("the last straw"),
        cause: expect.objectContaining({ message: "the last straw" }),
      }),
    });
    expect(await system.shutdown()).toMatchObject({ reason: "error" });
    expect(system.tree()).toMatchObject({ status: "stopped" });
  });

  it("shuts down once, however often it is asked", async () => {
    const system = startSystem({ name: "root", children: [{ id: "a", logic: idle }] });
    const all = [system.shutdown(), system.shutdown()];
    expect(await Promise.all(all)).toEqual([{ reason: "stopped" }, { reason: "stopped" }]);
    expect(await system.shutdown()).toEqual({ reason: "stopped" });
  });

  it("shows its tree", async () => {
    const machine = setup({ actors: { idle } }).createMachine({ invoke: { src: "idle", id: "socket" } });
    const system = startSystem({
      name: "root",
      children: [
        { id: "inner", name: "inner", logic: fromSupervisor({ children: [{ id: "m", logic: machine }] }) },
        { id: "dynamic", name: "dynamic", logic: fromDynamicSupervisor() },
        { id: "once", logic: idle, restart: "transient" },
      ],
    });
    await startChild(system.whereis<SupervisorRef>("dynamic"), { id: "d", logic: idle });
    kill(system.whereis("inner")!);
    const worker = { name: null, type: "worker", status: "running", restarts: 0, children: [] };
    expect(system.tree()).toEqual({
      id: "root",
      name: null,
      type: "supervisor",
      status: "running",
      restarts: 0,
      children: [
        {
          id: "inner",
          name: "inner",
          type: "supervisor",
          status: "running",
          restarts: 1,
          children: [{ ...worker, id: "m", children: [{ ...worker, id: "socket" }] }],
        },
        {
          id: "dynamic",
          name: "dynamic",
          type: "supervisor",
          status: "running",
          restarts: 0,
          children: [{ ...worker, id: "d" }],
        },
        { ...worker, id: "once" },
      ],
    });
    // Inspectors find a supervisor's children where a machine's are.
    expect(Object.keys(system.root.getSnapshot().children)).toEqual(["inner", "dynamic", "once"]);
    await system.shutdown();
  });

  it("runs on the clock it is given", async () => {
    const clock = new SimulatedClock();
    const seen: string[] = [];
    const machine = setup({ actions: { note: () => seen.push("after") } }).createMachine({
      after: { 1000: { actions: "note" } },
    });
    const server = fromGenServer({
      init: (_input: undefined, { sendAfter }) => sendAfter({ type: "tick" }, 1000),
      handleInfo: () => {
        seen.push("sendAfter");
      },
    });
    const system = startSystem({
      name: "root",
      clock,
      children: [
        { id: "m", logic: machine },
        { id: "s", logic: server },
      ],
    });
    clock.advance(1000);
    expect(seen).toEqual(["after", "sendAfter"]);
    await system.shutdown();
    expect(clock.pending).toBe(0);
  });
});

describe("an inspector", () => {
  it("sees every actor from the start, and a crash", async () => {
    const ids = new Set<string>();
    const statuses: string[] = [];
    const system = startSystem({
      name: "root",
      children: [{ id: "a", name: "a", logic: idle }],
      inspect: (event) => {
        if (event.type === "@xstate.actor") ids.add(event.actorRef.id);
        if (event.type === "@xstate.snapshot") statuses.push(event.snapshot.status);
      },
    });
    expect([...ids]).toEqual(["root", "a"]);
    kill(system.whereis("a")!);
    expect(statuses).toContain("error");
    await system.shutdown();
  });

  it("that throws harms nothing: it is told once and hears nothing more", async () => {
    let heard = 0;
    const errors: unknown[] = [];
    const throwing = {
      next: () => {
        heard += 1;
        throw new Error("inspector");
      },
      error: (error: unknown) => {
        errors.push(error);
        throw new Error("still throwing");
      },
    };
    const system = startSystem({ name: "root", children: [{ id: "a", name: "a", logic: idle }], inspect: throwing });
    system.inspect(() => {
      heard += 1;
      throw new Error("another");
    });
    system.whereis("a")?.send({ type: "anything" });
    system.whereis("a")?.send({ type: "anything" });
    expect(heard).toBe(2);
    expect(errors).toEqual([expect.objectContaining({ message: "inspector" })]);
    expect(await system.shutdown()).toEqual({ reason: "stopped" });
  });

  it("comes and goes at run time", async () => {
    const system = startSystem({ name: "root", children: [{ id: "a", name: "a", logic: idle }] });
    let heard = 0;
    const detach = system.inspect({ next: () => (heard += 1) });
    system.whereis("a")?.send({ type: "anything" });
    expect(heard).toBeGreaterThan(0);
    detach();
    const before = heard;
    system.whereis("a")?.send({ type: "anything" });
    expect(heard).toBe(before);
    await system.shutdown();
  });
});
