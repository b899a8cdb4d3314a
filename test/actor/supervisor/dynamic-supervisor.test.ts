import { describe, expect, it } from "vitest";
import { kill, shutdownEvent } from "../../../src/actor/lifecycle/exit.ts";
import { fromResource } from "../../../src/actor/resource.ts";
import { type ChildSpec, childSpec } from "../../../src/actor/supervisor/child-spec.ts";
import {
  type DynamicSupervisorOptions,
  fromDynamicSupervisor,
} from "../../../src/actor/supervisor/dynamic-supervisor.ts";
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
import { collectGarbage } from "../../support/heap.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

function world(options: DynamicSupervisorOptions = {}) {
  const log: string[] = [];
  const clock = new SimulatedClock();
  const logic = fromDynamicSupervisor(options);
  const system = startSystem({
    name: "root",
    clock,
    children: [childSpec({ id: "dynamic", name: "dynamic", logic, restart: "temporary" })],
  });
  const worker = fromResource<undefined, { type: string }>(({ self, finish }) => {
    log.push(`+${self.id}`);
    return {
      close: () => log.push(`-${self.id}`),
      receive({ type }) {
        if (type === "finish") finish();
        if (type === "crash") throw new Error(`${self.id} crashed`);
      },
    };
  });
  const deaf = fromResource(({ self }) => ({
    close: () => log.push(`-${self.id}`),
    shutdown: () => new Promise<void>(() => undefined),
  }));
  const child = (id: string, more: Partial<ChildSpec> = {}): ChildSpec => ({ id, logic: worker, ...more });
  const ref = system.whereis<SupervisorRef>("dynamic")!;
  return { log, clock, system, ref, worker, child, deaf, take: () => log.splice(0).join(" ") };
}

describe("a dynamic supervisor", () => {
  it("restarts a child alone, as its restart type says, and forgets those that stay ended", async () => {
    const { ref, child, take } = world();
    const permanent = await startChild(ref, child("p"));
    const transient = await startChild(ref, child("t", { restart: "transient" }));
    const temporary = await startChild(ref, child("x", { restart: "temporary" }));
    take();
    permanent.send({ type: "finish" });
    temporary.send({ type: "crash" });
    transient.send({ type: "crash" });
    expect(take()).toBe("-p +p -x -t +t");
    const restarted = whichChildren(ref).find(({ id }) => id === "t");
    expect(restarted).toMatchObject({ restarts: 1, status: "running" });
    restarted?.ref?.send({ type: "finish" });
    expect(whichChildren(ref).map(({ id }) => id)).toEqual(["p"]);
    expect(countChildren(ref)).toEqual({ specs: 1, active: 1, supervisors: 0, workers: 1 });
  });

  it("refuses what it cannot do", async () => {
    const { ref, child, system } = world({ maxChildren: 1 });
    await startChild(ref, child("a", { name: "taken" }));
    await expect(startChild(ref, child("a"))).rejects.toMatchObject({ code: "already_started" });
    await expect(startChild(ref, child("b"))).rejects.toMatchObject({ code: "unavailable" });
    for (const request of [restartChild, deleteChild]) {
      await expect(request(ref, "a")).rejects.toMatchObject({ code: "not_found" });
    }
    await terminateChild(ref, "a");
    await expect(terminateChild(ref, "a")).rejects.toMatchObject({ code: "not_found" });
    const unfit = fromResource(() => {
      throw new Error("unfit");
    });
    await expect(startChild(ref, { id: "c", logic: unfit })).rejects.toMatchObject({ code: "failed" });
    expect(countChildren(ref).specs).toBe(0);
    expect(system.names()).toEqual(["dynamic"]);
  });

  it("goes on with others while a terminated child takes its time, and tells everybody who waits", async () => {
    const { ref, child, deaf, clock, take } = world();
    await startChild(ref, { id: "slow", logic: deaf, shutdown: 100 });
    const first = terminateChild(ref, "slow");
    clock.advance(60);
    const second = terminateChild(ref, "slow");
    await startChild(ref, child("quick"));
    expect(take()).toBe("+quick");
    clock.advance(40);
    await Promise.all([first, second]);
    expect(take()).toBe("-slow");
    expect(clock.pending).toBe(0);
  });

  it("keeps nothing of the children that ended, terminated ones included", async () => {
    const { ref, worker, deaf, clock, child } = world();
    const kept: WeakRef<object>[] = [];
    const startOne = async (spec: ChildSpec) => {
      const input = {};
      kept.push(new WeakRef(input));
      return startChild(ref, { ...spec, input });
    };
    await startOne({ id: "terminated", logic: worker });
    await terminateChild(ref, "terminated");
    await startOne({ id: "slow", logic: deaf, shutdown: 100 });
    const slow = terminateChild(ref, "slow");
    clock.advance(100);
    await slow;
    (await startOne(child("ended", { restart: "temporary" }))).send({ type: "finish" });
    await settled();
    collectGarbage();
    expect(kept.map((each) => each.deref())).toEqual([undefined, undefined, undefined]);
    expect(whichChildren(ref)).toEqual([]);
  });

  it("asks all children at once when it ends, and takes no new ones", async () => {
    const { ref, child, deaf, clock, system, take } = world();
    for (const id of ["d1", "d2", "d3"]) await startChild(ref, { id, logic: deaf, shutdown: 100 });
    await startChild(ref, child("quick"));
    take();
    const closed = system.shutdown();
    expect(take()).toBe("-quick");
    await expect(startChild(ref, child("late"))).rejects.toMatchObject({ code: "noproc" });
    clock.advance(100);
    expect(await closed).toEqual({ reason: "stopped" });
    expect(take()).toBe("-d3 -d2 -d1");
    expect(clock.pending).toBe(0);
  });

  it("gives up when restarts exceed its intensity, and stops all children first", async () => {
    const { ref, child, take, system } = world({ intensity: { maxRestarts: 1, withinMs: 1000 } });
    const children = await Promise.all(["a", "b", "c"].map((id) => startChild(ref, child(id))));
    take();
    for (const each of children) each.send({ type: "crash" });
    expect(take()).toBe("-a +a -b -c -a");
    expect(system.whereis("dynamic")).toBeUndefined();
    expect(ref.getSnapshot().error).toMatchObject({ code: "max_restarts", cause: { message: "b crashed" } });
  });

  it("stays given up when it is asked to end meanwhile", async () => {
    const { ref, child, deaf, clock } = world({ intensity: { maxRestarts: 0, withinMs: 1 } });
    await startChild(ref, { id: "slow", logic: deaf, shutdown: 100 });
    kill(await startChild(ref, child("a")));
    ref.send(shutdownEvent);
    clock.advance(100);
    expect(ref.getSnapshot()).toMatchObject({ status: "error", error: { code: "max_restarts" } });
    expect(clock.pending).toBe(0);
  });

  it("counts a failing restart and tries again, unless the child is terminated meanwhile", async () => {
    const { ref, clock } = world();
    let starts = 0;
    const flaky = fromResource<undefined, { type: string }>(() => {
      starts += 1;
      if (starts > 1) throw new Error("flaky");
      return () => undefined;
    });
    const child = await startChild(ref, { id: "f", logic: flaky });
    kill(child);
    expect(whichChildren(ref)).toMatchObject([{ id: "f", status: "restarting" }]);
    await terminateChild(ref, "f");
    expect(clock.pending).toBe(0);
    expect(starts).toBe(2);
    starts = 0;
    kill(await startChild(ref, { id: "f", logic: flaky }));
    clock.advance(0);
    expect(starts, "two restarts before, this one and one more are four: too many").toBe(3);
    expect(ref.getSnapshot().error).toMatchObject({ code: "max_restarts" });
    expect(clock.pending).toBe(0);
  });

  it("stops its children when it is killed", async () => {
    const { ref, child, take } = world();
    await startChild(ref, child("a"));
    await startChild(ref, child("b"));
    take();
    kill(ref);
    expect(take()).toBe("-b -a");
  });

  it("does not grow dearer with its children", async () => {
    const cost = async (children: number) => {
      const { ref, child, system } = world();
      await Promise.all(Array.from({ length: children }, (_, i) => startChild(ref, child(`c${i}`))));
      const times: number[] = [];
      for (let i = 0; i < 2000; i += 1) {
        const from = performance.now();
        void startChild(ref, child(`n${i}`));
        void terminateChild(ref, `n${i}`);
        times.push(performance.now() - from);
      }
      await system.shutdown();
      return times.toSorted((a, b) => a - b)[1000] ?? 0;
    };
    await cost(10);
    const few = await cost(10);
    // A cost that grew with the children would be hundreds of times higher; noise is not fifty times.
    expect(await cost(10_000)).toBeLessThan(50 * few);
  });
});
