import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, it } from "vitest";
import { setup } from "xstate";
import { kill } from "../../../src/actor/lifecycle/exit.ts";
import { fromResource } from "../../../src/actor/resource.ts";
import { type ChildSpec, childSpec, type Shutdown } from "../../../src/actor/supervisor/child-spec.ts";
import { fromSupervisor, type SupervisorOptions } from "../../../src/actor/supervisor/supervisor.ts";
import {
  countChildren,
  deleteChild,
  restartChild,
  type SupervisorRef,
  startChild,
  terminateChild,
  whichChildren,
} from "../../../src/actor/supervisor/supervisor-requests.ts";
import { startSystem } from "../../../src/actor/system.ts";
import type { TelemetryMessage } from "../../../src/telemetry/telemetry.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

/** A system of children that note when they start and stop: `+a` and `-a`. */
function world(options: Partial<SupervisorOptions> = {}) {
  const log: string[] = [];
  /** How many of a child's next starts fail. */
  const failing = new Map<string, number>();
  const clock = new SimulatedClock();
  const noting = fromResource<undefined, { type: string }>(({ self, finish }) => {
    const failures = failing.get(self.id) ?? 0;
    failing.set(self.id, failures - 1);
    if (failures > 0) throw new Error(`${self.id} does not start`);
    log.push(`+${self.id}`);
    return {
      close: () => log.push(`-${self.id}`),
      receive(event) {
        if (event.type === "finish") finish();
        if (event.type === "crash") throw new Error(`${self.id} crashed`);
      },
    };
  });
  /** Says that it was asked to end and then does not, or not before `drain`. */
  const slow = fromResource<undefined, { type: string }>(({ self }) => {
    log.push(`+${self.id}`);
    let drained = (): void => undefined;
    return {
      close: () => log.push(`-${self.id}`),
      shutdown: () => {
        log.push(`?${self.id}`);
        return new Promise<void>((resolve) => (drained = resolve));
      },
      receive: (event) => {
        if (event.type === "drain") drained();
      },
    };
  });
  const child = (id: string, more: Partial<ChildSpec> = {}): ChildSpec => ({ id, name: id, logic: noting, ...more });
  const slowChild = (id: string, shutdown: Shutdown): ChildSpec => ({ id, name: id, logic: slow, shutdown });
  const start = (children: readonly ChildSpec[], root: Partial<SupervisorOptions> = options) =>
    startSystem({ name: "root", clock, ...root, children });
  const take = () => log.splice(0).join(" ");
  return { log, take, clock, child, slowChild, failing, start };
}

describe("a supervisor", () => {
  it("starts its children in order and stops them in reverse", async () => {
    const { start, child, take, clock } = world();
    const system = start([child("9"), child("b"), child("a"), child("10")]);
    expect(take()).toBe("+9 +b +a +10");
    expect(system.names().toSorted()).toEqual(["10", "9", "a", "b"]);
    expect(await system.shutdown()).toEqual({ reason: "stopped" });
    expect(take()).toBe("-10 -a -b -9");
    expect(system.names()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ["one_for_one", "-b +b"],
    ["one_for_all", "-b -c -a +a +b +c"],
    ["rest_for_one", "-b -c +b +c"],
  ] as const)("restarts as %s says when a child crashes", (strategy, expected) => {
    const { start, child, take } = world({ strategy });
    const system = start([child("a"), child("b"), child("c")]);
    take();
    system.whereis("b")?.send({ type: "crash" });
    expect(take()).toBe(expected);
    expect(system.names().toSorted()).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["permanent", "normal", true],
    ["permanent", "error", true],
    ["transient", "normal", false],
    ["transient", "error", true],
    ["transient", "killed", true],
    ["temporary", "normal", false],
    ["temporary", "error", false],
  ] as const)("a %s child that ends as %s is restarted: %s", (restart, reason, restarted) => {
    const { start, child, take } = world();
    const system = start([child("a", { restart })]);
    take();
    if (reason === "killed") kill(system.whereis("a")!);
    else system.whereis("a")?.send({ type: reason === "normal" ? "finish" : "crash" });
    expect(take()).toBe(restarted ? "-a +a" : "-a");
    const children = whichChildren(system.root).map(({ id, status, restarts }) => [id, status, restarts]);
    const stopped = restart === "temporary" ? [] : [["a", "stopped", 0]];
    expect(children).toEqual(restarted ? [["a", "running", 1]] : stopped);
  });

  it("gives up after more restarts than the intensity allows, and only within the period", async () => {
    const { start, child, take, clock } = world({ intensity: { maxRestarts: 2, withinMs: 1000 } });
    const system = start([child("a"), child("b")]);
    const crash = () => system.whereis("b")?.send({ type: "crash" });
    crash();
    clock.advance(600);
    crash();
    clock.advance(401);
    crash();
    take();
    crash();
    expect(take()).toBe("-b -a");
    const closed = await system.closed;
    expect(closed).toMatchObject({
      reason: "error",
      error: { code: "max_restarts", cause: expect.objectContaining({ message: "b crashed" }) },
    });
    expect(system.names()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("fails to its own supervisor, which restarts it with all its children", () => {
    const { start, child, take } = world();
    const pair = childSpec({
      id: "pair",
      name: "pair",
      logic: fromSupervisor({ children: [child("a"), child("b")], intensity: { maxRestarts: 0, withinMs: 1 } }),
    });
    const system = start([pair, child("c")]);
    take();
    const before = system.whereis("pair");
    system.whereis("a")?.send({ type: "crash" });
    expect(take()).toBe("-a -b +a +b");
    expect(system.whereis("pair")).not.toBe(before);
  });

  it("does not start when a child does not, and stops those that did", () => {
    const { start, child, take, failing, clock } = world();
    failing.set("b", 1);
    const children = [
      child("a"),
      childSpec({ id: "s", logic: fromSupervisor({ children: [child("x"), child("b")] }) }),
    ];
    expect(() => start([...children, child("c")])).toThrow("b does not start");
    expect(take()).toBe("+a +x -x -a");
    expect(clock.pending).toBe(0);
  });

  it("tries a failing restart again, each in a turn of its own, until the intensity is exceeded", async () => {
    const { start, child, take, failing, clock } = world();
    const system = start([child("a"), child("b")]);
    take();
    failing.set("a", 2);
    system.whereis("a")?.send({ type: "crash" });
    expect(take()).toBe("-a");
    expect(whichChildren(system.root)[0]).toMatchObject({ status: "restarting", ref: undefined });
    await expect(restartChild(system.root, "a")).rejects.toMatchObject({ code: "already_started" });
    clock.advance(0);
    expect(take()).toBe("+a");
    expect(whichChildren(system.root)[0]).toMatchObject({ status: "running" });
    clock.advance(5001);
    failing.set("a", 3);
    system.whereis("a")?.send({ type: "crash" });
    clock.advance(0);
    expect(take()).toBe("-a -b");
    expect(await system.closed).toMatchObject({
      error: { code: "max_restarts", cause: expect.objectContaining({ message: "a does not start" }) },
    });
    expect(clock.pending).toBe(0);
  });

  it("stops trying when the child is terminated", async () => {
    const { start, child, failing, clock } = world();
    const system = start([child("a")]);
    failing.set("a", 1);
    system.whereis("a")?.send({ type: "crash" });
    await terminateChild(system.root, "a");
    expect(clock.pending).toBe(0);
    expect(whichChildren(system.root)[0]).toMatchObject({ status: "stopped" });
  });

  it.each(["one_for_all", "rest_for_one"] as const)(
    "starts the later children too, at the next try, as %s",
    (strategy) => {
      const { start, child, take, failing, clock } = world({ strategy });
      const system = start([child("a"), child("b"), child("c")]);
      take();
      failing.set("b", 1);
      system.whereis("b")?.send({ type: "crash" });
      clock.advance(0);
      expect(take()).toBe(strategy === "one_for_all" ? "-b -c -a +a -a +a +b +c" : "-b -c +b +c");
      expect(whichChildren(system.root).every(({ status }) => status === "running")).toBe(true);
    },
  );

  it("waits for each child's shutdown time, the last started first", async () => {
    const { start, child, slowChild, take, clock } = world();
    const system = start([slowChild("a", 100), child("b"), slowChild("c", 50), slowChild("d", "brutal_kill")]);
    take();
    const closed = system.shutdown();
    expect(take()).toBe("-d ?c");
    clock.advance(49);
    expect(take()).toBe("");
    clock.advance(1);
    expect(take()).toBe("-c -b ?a");
    system.whereis("a")?.send({ type: "drain" });
    expect(await closed).toEqual({ reason: "stopped" });
    expect(take()).toBe("-a");
    expect(clock.pending).toBe(0);
  });

  it("waits for ever with infinity", async () => {
    const { start, slowChild, take, clock } = world();
    const system = start([slowChild("a", "infinity")]);
    const closed = system.shutdown();
    await clock.advanceAsync(1e9);
    expect(take()).toBe("+a ?a");
    system.whereis("a")?.send({ type: "drain" });
    expect(await closed).toEqual({ reason: "stopped" });
  });

  it("handles what happens while it waits for a child afterwards, in order", async () => {
    const { start, child, slowChild, take, clock } = world();
    const system = start([slowChild("a", 100), child("b")]);
    take();
    const terminated = terminateChild(system.root, "a");
    system.whereis("b")?.send({ type: "crash" });
    const started = startChild(system.root, child("c"));
    expect(take()).toBe("?a -b");
    clock.advance(100);
    await Promise.all([terminated, started]);
    expect(take()).toBe("-a +b +c");
  });

  it("adds, terminates, restarts and deletes children on request", async () => {
    const { start, child, take, failing } = world();
    const { root } = start([child("a")]);
    const ref = await startChild(root, child("b"));
    expect(whichChildren(root).at(-1)).toMatchObject({ id: "b", ref, status: "running", type: "worker" });
    await expect(startChild(root, child("b"))).rejects.toMatchObject({ code: "already_started" });
    await expect(startChild(root, child("c", { name: "a" }))).rejects.toMatchObject({ code: "already_started" });
    await expect(restartChild(root, "b")).rejects.toMatchObject({ code: "already_started" });
    await expect(deleteChild(root, "b")).rejects.toMatchObject({ code: "already_started" });
    await terminateChild(root, "b");
    expect(countChildren(root)).toEqual({ specs: 2, active: 1, supervisors: 0, workers: 2 });
    failing.set("b", 1);
    await expect(restartChild(root, "b")).rejects.toMatchObject({ code: "failed", cause: expect.any(Error) });
    expect(await restartChild(root, "b")).not.toBe(ref);
    await terminateChild(root, "b");
    await deleteChild(root, "b");
    for (const request of [terminateChild, restartChild, deleteChild]) {
      await expect(request(root, "b")).rejects.toMatchObject({ code: "not_found" });
    }
    expect(take()).toBe("+a +b -b +b -b");
  });

  it("rejects the requests that it dies before answering", async () => {
    const { start, slowChild, child } = world();
    const system = start([slowChild("a", "infinity")]);
    const requests = [terminateChild(system.root, "a"), startChild(system.root, child("b"))];
    kill(system.root);
    for (const request of requests) await expect(request).rejects.toMatchObject({ code: "noproc" });
    expect(await system.closed).toMatchObject({ reason: "error", error: { code: "stopped" } });
    await expect(startChild(system.root, child("b"))).rejects.toMatchObject({ code: "noproc" });
  });

  it("lets a child, in the middle of its own handler, have itself replaced", async () => {
    const { clock, start, take, log } = world();
    const suicidal = fromResource<undefined, { type: string }>(({ self }) => {
      log.push("+s");
      return {
        close: () => log.push("-s"),
        receive() {
          void terminateChild(self._parent as SupervisorRef, "s").then(() => log.push("terminated"));
          void restartChild(self._parent as SupervisorRef, "s").then(() => log.push("restarted"));
          log.push("still here");
        },
      };
    });
    for (const shutdown of ["brutal_kill", 1000] as const) {
      const system = start([{ id: "s", name: "s", logic: suicidal, shutdown }]);
      system.whereis("s")?.send({ type: "go" });
      await settled();
      expect(take()).toBe("+s still here -s +s terminated restarted");
      await system.shutdown();
      take();
    }
    expect(clock.pending).toBe(0);
  });

  it("does not starve the process when a child can never start, whatever the intensity", async () => {
    const { child, failing } = world();
    const system = startSystem({
      name: "root",
      intensity: { maxRestarts: 1e9, withinMs: 1e9 },
      children: [child("a")],
    });
    failing.set("a", 20);
    system.whereis("a")?.send({ type: "crash" });
    while (system.whereis("a") === undefined) await settled();
    expect(await system.shutdown()).toEqual({ reason: "stopped" });
  });

  it("survives a thousand crashes in a row without deep stacks", () => {
    const { start, child } = world();
    const bounce = fromResource<undefined, { type: string }>(({ self, whereis }) => {
      // Each start crashes the other, in the same turn, until the intensity ends it.
      whereis(self.id === "x" ? "y" : "x")?.send({ type: "crash" });
      return {
        close: () => undefined,
        receive: () => {
          throw new Error("bounced");
        },
      };
    });
    const inner = fromSupervisor({
      intensity: { maxRestarts: 5000, withinMs: 1e9 },
      children: [{ id: "x", name: "x", logic: bounce }],
    });
    const system = start([child("a"), { id: "inner", name: "inner", logic: inner, restart: "temporary" }]);
    void startChild(system.whereis<SupervisorRef>("inner"), { id: "y", name: "y", logic: bounce });
    expect(whichChildren(system.root).map(({ id }) => id)).toEqual(["a"]);
    expect(system.names()).toEqual(["a"]);
  });

  it("takes machines as children: asked by actor.shutdown, they go to a final state", async () => {
    const { start, take, log, clock } = world();
    const holds = (id: string) =>
      fromResource(() => {
        log.push(`+${id}`);
        return () => log.push(`-${id}`);
      });
    const machine = setup({
      types: { events: {} as { type: "actor.shutdown" } | { type: "boom" } },
      actors: { socket: holds("socket") },
    }).createMachine({
      initial: "open",
      states: {
        open: {
          invoke: { src: "socket", id: "socket" },
          on: {
            "actor.shutdown": "draining",
            boom: {
              actions: () => {
                throw new Error("boom");
              },
            },
          },
        },
        draining: { after: { 30: "closed" } },
        closed: { type: "final" },
      },
    });
    const deaf = setup({ actors: { socket: holds("deaf") } }).createMachine({ invoke: { src: "socket" } });
    const system = start([
      { id: "m", name: "m", logic: machine },
      { id: "d", name: "d", logic: deaf },
    ]);
    system.whereis("m")?.send({ type: "boom" });
    expect(take()).toBe("+socket +deaf -socket +socket");
    const closed = system.shutdown();
    expect(take()).toBe("-deaf -socket");
    clock.advance(30);
    expect(await closed).toEqual({ reason: "stopped" });
    expect(clock.pending).toBe(0);
  });

  it("tells telemetry of starts, exits and restarts", async () => {
    const seen: string[] = [];
    const listen = (message: unknown, name: string | symbol) => {
      const { measurements, metadata } = message as TelemetryMessage<"supervisor.child.exit">;
      const detail = "restarts_in_period" in measurements ? measurements.restarts_in_period : metadata.reason;
      seen.push(`${String(name).split(".").at(-1)} ${metadata.child} ${detail ?? ""}`.trim());
    };
    const events = ["start", "exit", "restart"].map((name) => `gen_api.supervisor.child.${name}`);
    for (const name of events) subscribe(name, listen);
    try {
      const { start, child } = world();
      const system = start([child("a"), child("b", { restart: "transient" })]);
      system.whereis("a")?.send({ type: "crash" });
      kill(system.whereis("a")!);
      system.whereis("b")?.send({ type: "finish" });
      await system.shutdown();
    } finally {
      for (const name of events) unsubscribe(name, listen);
    }
    expect(seen).toEqual([
      "start a",
      "start b",
      "exit a error",
      "restart a 1",
      "start a",
      "exit a killed",
      "restart a 2",
      "start a",
      "exit b normal",
      "exit a shutdown",
    ]);
  });
});
