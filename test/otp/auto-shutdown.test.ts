import { afterEach, describe, expect, it } from "vitest";
import {
  fromDynamicSupervisor,
  fromGenServer,
  fromResource,
  fromSupervisor,
  kill,
  type RestartType,
  type SupervisorRef,
  type System,
  send,
  startChild,
  startSystem,
  terminateChild,
  whichChildren,
} from "../../src/otp.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const log: string[] = [];
const worker = fromResource<undefined, { type: string }>(({ self, finish }) => ({
  close: () => void log.push(`-${self.id}`),
  receive: ({ type }) => {
    if (type === "finish") finish();
    if (type === "crash") throw new Error(`${self.id} crashed`);
  },
}));
const child = (id: string, restart: RestartType, significant = true) => ({
  id,
  name: id,
  logic: worker,
  restart,
  significant,
});

let system: System | undefined;
afterEach(async () => {
  await system?.shutdown();
  log.length = 0;
});

function start(autoShutdown: "never" | "any_significant" | "all_significant", ...children: ReturnType<typeof child>[]) {
  system = startSystem({ name: "root", autoShutdown, children });
  return system;
}

describe("a supervisor", () => {
  it("ends in order when any significant child has ended, and a system then ends as if it were asked to", async () => {
    const { root, closed } = start(
      "any_significant",
      child("a", "permanent", false),
      child("b", "transient"),
      child("c", "temporary"),
    );
    send(system?.whereis("b"), { type: "crash" });
    await settled();
    expect(log).toEqual(["-b"]);
    send(system?.whereis("b"), { type: "finish" });
    expect(await closed).toEqual({ reason: "stopped" });
    expect(log).toEqual(["-b", "-b", "-c", "-a"]);
    expect(() => whichChildren(root)).toThrow(expect.objectContaining({ code: "noproc" }));
  });

  it("that waits for all of them ends with the last, however it ended", async () => {
    const { closed, root } = start(
      "all_significant",
      child("a", "permanent", false),
      child("b", "transient"),
      child("c", "temporary"),
    );
    send(system?.whereis("b"), { type: "finish" });
    await settled();
    expect(whichChildren(root).map(({ id, status }) => `${id} ${status}`)).toEqual([
      "a running",
      "b stopped",
      "c running",
    ]);
    kill(system?.whereis("c"));
    expect(await closed).toEqual({ reason: "stopped" });
  });

  it("that waits for all of them waits for one whose restart has failed and is tried again", async () => {
    const clock = new SimulatedClock();
    let isBroken = false;
    const moody = fromGenServer({
      init: () => {
        if (isBroken) throw new Error("not today");
      },
    });
    const spec = { id: "moody", name: "moody", logic: moody, restart: "transient", significant: true } as const;
    system = startSystem({
      name: "root",
      clock,
      autoShutdown: "all_significant",
      children: [spec, child("b", "transient")],
    });
    isBroken = true;
    kill(system.whereis("moody"));
    isBroken = false;
    send(system.whereis("b"), { type: "finish" });
    expect(whichChildren(system.root).map(({ id, status }) => `${id} ${status}`)).toEqual([
      "moody restarting",
      "b stopped",
    ]);
    await clock.advanceAsync(0);
    expect(whichChildren(system.root)).toMatchObject([{ id: "moody", status: "running" }, { id: "b" }]);
  });

  it("goes on when a significant child is terminated by request, or ends with its siblings", async () => {
    system = startSystem({
      name: "root",
      strategy: "one_for_all",
      autoShutdown: "any_significant",
      children: [child("a", "permanent", false), child("b", "transient"), child("c", "temporary")],
    });
    await terminateChild(system.root, "b");
    // All are stopped and started again, but for the temporary one.
    send(system.whereis("a"), { type: "crash" });
    await settled();
    expect(whichChildren(system.root).map(({ id, status }) => `${id} ${status}`)).toEqual(["a running", "b running"]);
  });

  it("ends as shutdown, so that its own supervisor starts it again only where it is permanent", async () => {
    const below = (restart: RestartType) => ({
      id: restart,
      name: restart,
      logic: fromSupervisor({ autoShutdown: "any_significant", children: [child(`in_${restart}`, "temporary")] }),
      restart,
    });
    system = startSystem({ name: "root", children: [below("permanent"), below("transient")] });
    for (const name of ["in_permanent", "in_transient"]) send(system.whereis(name), { type: "finish" });
    await settled();
    expect(whichChildren(system.root)).toMatchObject([
      { id: "permanent", status: "running", restarts: 1 },
      { id: "transient", status: "stopped", restarts: 0 },
    ]);
  });
});

describe("a significant child is refused where it could never count", () => {
  const never =
    'significant must be false unless autoShutdown of its supervisor is "any_significant" or "all_significant"';
  it.each([
    ["never", "transient", never],
    [
      "any_significant",
      "permanent",
      'significant must be false unless restart is "transient" or "temporary", got true',
    ],
  ] as const)("below %s as %s", async (autoShutdown, restart, message) => {
    const refused = { code: "invalid_option", message: expect.stringContaining(`the child spec "a": ${message}`) };
    expect(() => start(autoShutdown, child("a", restart))).toThrow(expect.objectContaining(refused));
    const children = [child("a", restart)];
    expect(() => fromSupervisor({ autoShutdown, children })).toThrow(expect.objectContaining(refused));
    const { root } = start(autoShutdown);
    await expect(startChild(root, child("a", restart))).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(`The child spec "a" for the supervisor "root": ${message}`),
    });
  });

  it("below a dynamic supervisor", async () => {
    system = startSystem({ name: "root", children: [{ id: "pool", name: "pool", logic: fromDynamicSupervisor() }] });
    await expect(startChild(system.whereis<SupervisorRef>("pool"), child("a", "temporary"))).rejects.toMatchObject({
      code: "invalid_option",
      message:
        'The child spec "a" for the supervisor "pool": significant must be false below a dynamic supervisor, got true',
    });
  });
});
