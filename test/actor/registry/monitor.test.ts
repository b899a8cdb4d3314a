import { once } from "node:events";
import vm from "node:vm";
import { describe, expect, it } from "vitest";
import { createActor } from "xstate";
import { kill, shutdownEvent } from "../../../src/actor/lifecycle/exit.ts";
import { type Down, monitor } from "../../../src/actor/registry/monitor.ts";
import { fromResource } from "../../../src/actor/resource.ts";
import { startSystem } from "../../../src/actor/system.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock, settled } from "../../support/simulated-clock.ts";

const idle = fromResource(() => () => undefined);

function startActor() {
  const logic = fromResource<undefined, { type: string }>(({ finish }) => ({
    close: () => undefined,
    receive: ({ type }) => {
      if (type === "finish") finish();
      else throw new Error("crashed");
    },
  }));
  return createActor(logic, { input: undefined });
}

it.each([
  ["finish", "normal"],
  ["shutdown", "shutdown"],
  ["kill", "killed"],
  ["crash", { error: expect.objectContaining({ message: "crashed" }) }],
])("tells once when an actor ends, and why: %s", async (by, reason) => {
  const actor = startActor();
  actor.subscribe({ error: () => undefined });
  const downs: Down[] = [];
  monitor(actor, (down) => downs.push(down));
  actor.start();
  expect(downs).toEqual([]);
  if (by === "shutdown") actor.send(shutdownEvent);
  else if (by === "kill") kill(actor);
  else actor.send({ type: by });
  await settled();
  expect(downs).toEqual([{ ref: actor, reason }]);
});

it("tells of a child that its supervisor had to kill", () => {
  const clock = new SimulatedClock();
  const logic = fromResource(() => ({ close: () => undefined, shutdown: () => new Promise<void>(() => undefined) }));
  const system = startSystem({ name: "root", clock, children: [{ id: "a", name: "a", logic, shutdown: 10 }] });
  const reasons: unknown[] = [];
  monitor(system.whereis("a")!, ({ reason }) => reasons.push(reason));
  void system.shutdown();
  clock.advance(10);
  expect(reasons).toEqual(["killed"]);
});

it("tells of an actor that had ended before, soon, as noproc", async () => {
  const actor = startActor().start();
  actor.send(shutdownEvent);
  const reasons: unknown[] = [];
  monitor(actor, ({ reason }) => reasons.push(reason));
  const demonitor = monitor(actor, ({ reason }) => reasons.push(reason));
  demonitor();
  expect(reasons).toEqual([]);
  await settled();
  expect(reasons).toEqual(["noproc"]);
});

it("tells nothing after demonitor", () => {
  const actor = startActor().start();
  const demonitor = monitor(actor, () => expect.unreachable());
  demonitor();
  actor.send(shutdownEvent);
});

describe("a callback that fails", () => {
  const failing: readonly (readonly [string, () => unknown])[] = [
    [
      "throws",
      () => {
        throw new Error("not prepared");
      },
    ],
    ["rejects", () => Promise.reject(new Error("not prepared"))],
    // Another realm's, as of a value that came through vm.
    ["throws what is no Error", () => Promise.reject(vm.runInNewContext("new Error('not prepared')"))],
  ];

  it.each(failing)("and %s, keeps nobody else from hearing of the end, and is reported", async (_how, fail) => {
    using events = recordEvents("monitor.exception");
    const system = startSystem({ name: "root", children: [{ id: "a", name: "a", logic: idle }] });
    const ref = system.whereis("a")!;
    const heard: string[] = [];
    monitor(ref, () => heard.push("first"));
    monitor(ref, fail as () => void);
    monitor(ref, () => heard.push("last"));
    kill(ref);
    await settled();
    // One that had ended before.
    monitor(ref, fail as () => void);
    await settled();
    expect(heard).toEqual(["first", "last"]);
    expect(system.whereis("a")).toBeDefined();
    const reported = { program: "root", child: "a", error: expect.objectContaining({ message: "not prepared" }) };
    expect(events.messages.map(({ metadata }) => metadata)).toEqual([reported, reported]);
    await system.shutdown();
  });

  it("is a warning of the process where nobody listens", async () => {
    const system = startSystem({ name: "root", children: [{ id: "a", name: "a", logic: idle }] });
    const warned = once(process, "warning");
    const ref = system.whereis("a")!;
    monitor(ref, () => {
      throw new Error("not prepared");
    });
    kill(ref);
    expect(await warned).toMatchObject([
      {
        name: "MonitorWarning",
        message: 'The callback of a monitor of "a" failed',
        detail: expect.stringContaining("not prepared"),
      },
    ]);
    await system.shutdown();
  });
});
