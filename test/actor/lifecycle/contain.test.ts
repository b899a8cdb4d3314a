import { describe, expect, it } from "vitest";
import {
  type AnyActorLogic,
  assign,
  createActor,
  fromCallback,
  fromPromise,
  fromTransition,
  setup,
  spawnChild,
} from "xstate";
import { contain } from "../../../src/actor/lifecycle/contain.ts";
import { exitOf, kill, shutdownEvent } from "../../../src/actor/lifecycle/exit.ts";

function start(logic: AnyActorLogic, input?: unknown) {
  const actor = createActor(contain(logic), { input });
  actor.subscribe({ error: () => undefined });
  actor.start();
  return actor;
}

/** Notes whether it is open. */
function light(log: string[], id: string) {
  return fromCallback(() => {
    log.push(`+${id}`);
    return () => log.push(`-${id}`);
  });
}

describe("a contained actor", () => {
  it("runs a callback's cleanup when its receiver throws", () => {
    const log: string[] = [];
    const callback = fromCallback(({ receive }) => {
      receive(() => {
        throw new Error("receiver");
      });
      return () => log.push("cleanup");
    });
    const actor = start(callback);
    actor.send({ type: "anything" });
    expect(exitOf(actor)).toMatchObject({ error: { message: "receiver" } });
    expect(log).toEqual(["cleanup"]);
  });

  it("stops a machine's children when it throws, those made by the throwing transition included", () => {
    const log: string[] = [];
    const machine = setup({
      actors: { first: light(log, "first"), second: light(log, "second") },
      actions: {
        fail: () => {
          throw new Error("action");
        },
      },
    }).createMachine({
      invoke: { src: "first", systemId: "first" },
      on: { fail: { actions: [spawnChild("second", { id: "second", systemId: "second" }), "fail"] } },
    });
    const actor = start(machine);
    actor.send({ type: "fail" });
    expect(exitOf(actor)).toMatchObject({ error: { message: "action" } });
    expect(log).toEqual(["+first", "-first"]);
    expect(actor.system.getAll()).toEqual({});
  });

  it.each(["entry", "context"])("releases the children of a machine that fails in its init, in its %s", (where) => {
    const log: string[] = [];
    const fail = () => {
      throw new Error("init");
    };
    const machine = setup({
      actors: { first: light(log, "first"), second: light(log, "second") },
      actions: { fail, assign: assign(where === "context" ? fail : {}) },
    }).createMachine({
      context: {},
      invoke: { src: "second", systemId: "second" },
      entry: [spawnChild("first", { id: "first", systemId: "first" }), "assign", "fail"],
    });
    const actor = start(machine);
    expect(exitOf(actor)).toMatchObject({ error: { message: "init" } });
    expect(log.toSorted()).toEqual(where === "entry" ? ["+first", "+second", "-first", "-second"] : []);
    expect(actor.system.getAll()).toEqual({});
  });

  it("ends at once when asked to, if its logic does not handle that", () => {
    const log: string[] = [];
    const aborted: boolean[] = [];
    const promise = fromPromise(
      ({ signal }) => new Promise(() => signal.addEventListener("abort", () => aborted.push(true))),
    );
    const machine = setup({ actors: { light: light(log, "light") } }).createMachine({ invoke: { src: "light" } });
    for (const logic of [promise, machine, fromTransition((state) => state, 0), light(log, "callback")]) {
      const actor = start(logic);
      actor.send(shutdownEvent);
      expect(exitOf(actor)).toBe("shutdown");
    }
    expect(aborted).toEqual([true]);
    expect(log).toEqual(["+light", "-light", "+callback", "-callback"]);
  });

  it("ends with the error of its clean-up when that fails, also where it was asked to end", () => {
    const callback = fromCallback(() => () => {
      throw new Error("clean-up");
    });
    const asked = start(callback);
    asked.send(shutdownEvent);
    expect(exitOf(asked)).toMatchObject({ error: { message: "clean-up" } });
    const stopped = start(callback);
    stopped.stop();
    expect(exitOf(stopped)).toMatchObject({ error: { message: "clean-up" } });
  });

  it("crashes when it is killed, with the reason given", () => {
    const killed = start(fromTransition((state) => state, 0));
    kill(killed);
    expect(exitOf(killed)).toBe("killed");
    expect(killed.getSnapshot().error).toMatchObject({ code: "stopped" });
    const failed = start(fromTransition((state) => state, 0));
    kill(failed, new Error("by the operator"));
    expect(exitOf(failed)).toMatchObject({ error: { message: "by the operator" } });
  });

  it("is stopped for sure, whatever its logic makes of it", () => {
    const actor = start(fromTransition((state) => state, 0));
    actor.stop();
    expect(exitOf(actor)).toBe("shutdown");
  });

  it("shows its crash to inspectors, as XState does not", () => {
    const seen: string[] = [];
    const throwing = fromTransition(() => {
      throw new Error("crash");
    }, 0);
    const actor = createActor(contain(throwing), {
      inspect: (event) => {
        if (event.type === "@xstate.snapshot") seen.push(event.snapshot.status);
      },
    });
    actor.subscribe({ error: () => undefined });
    actor.start();
    actor.send({ type: "go" });
    expect(seen).toEqual(["active", "error"]);
  });

  it("is made once for a logic", () => {
    const logic = fromTransition((state) => state, 0);
    expect(contain(logic)).toBe(contain(logic));
    expect(contain(contain(logic))).toBe(contain(logic));
  });
});
