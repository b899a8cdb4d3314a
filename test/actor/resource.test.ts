import { describe, expect, it } from "vitest";
import { createActor, setup } from "xstate";
import { exitOf, kill, shutdownEvent } from "../../src/actor/lifecycle/exit.ts";
import { fromResource, type ResourceScope } from "../../src/actor/resource.ts";

function open(more: { shutdown?: () => void | Promise<void>; close?: () => void } = {}) {
  const log: string[] = [];
  let scope: ResourceScope<string> | undefined;
  const logic = fromResource<string, { type: string }>((given) => {
    scope = given;
    log.push(`open ${given.input}`);
    return {
      close: () => {
        log.push("close");
        more.close?.();
      },
      receive: ({ type }) => {
        if (type === "crash") throw new Error("crashed");
        log.push(type);
      },
      ...(more.shutdown === undefined ? {} : { shutdown: more.shutdown }),
    };
  });
  const actor = createActor(logic, { input: "door" });
  const ended = new Promise<void>((resolve) => actor.subscribe({ complete: resolve, error: () => resolve() }));
  actor.start();
  return { log, actor, ended, scope: scope! };
}

describe("a resource", () => {
  it("opens with its input and receives events", () => {
    const { log, actor } = open();
    actor.send({ type: "ping" });
    expect(log).toEqual(["open door", "ping"]);
    expect(exitOf(actor)).toBeUndefined();
  });

  it.each([
    ["a crash", "crash", { error: expect.objectContaining({ message: "crashed" }) }],
    ["being asked to end", "shutdown", "shutdown"],
    ["a kill", "kill", "killed"],
    ["its own end", "finish", "normal"],
    ["its own failure", "fail", { error: expect.objectContaining({ message: "ECONNRESET" }) }],
    ["a stop", "stop", "shutdown"],
  ])("is closed exactly once by %s", (_, by, reason) => {
    const { log, actor, scope } = open();
    if (by === "shutdown") actor.send(shutdownEvent);
    else if (by === "kill") kill(actor);
    else if (by === "finish") scope.finish();
    else if (by === "fail") scope.fail(new Error("ECONNRESET"));
    else if (by === "stop") actor.stop();
    else actor.send({ type: by });
    expect(exitOf(actor)).toEqual(reason);
    scope.fail("too late");
    scope.finish();
    expect(log).toEqual(["open door", "close"]);
  });

  it("drains before it closes, still receiving", async () => {
    let drained = (): void => undefined;
    const { log, actor, ended } = open({ shutdown: () => new Promise((resolve) => (drained = resolve)) });
    actor.send(shutdownEvent);
    actor.send({ type: "last words" });
    expect(log).toEqual(["open door", "last words"]);
    drained();
    await ended;
    expect(log.at(-1)).toBe("close");
    expect(exitOf(actor)).toBe("shutdown");
  });

  it("crashes, closed, when draining fails", async () => {
    const { log, actor, ended } = open({ shutdown: () => Promise.reject(new Error("stuck")) });
    actor.send(shutdownEvent);
    await ended;
    expect(exitOf(actor)).toMatchObject({ error: { message: "stuck" } });
    expect(log.at(-1)).toBe("close");
  });

  it("tells of a failing close, beside the crash if there was one", () => {
    const close = () => {
      throw new Error("close failed");
    };
    const asked = open({ close });
    asked.actor.send(shutdownEvent);
    expect(exitOf(asked.actor)).toMatchObject({ error: { message: "close failed" } });
    const crashed = open({ close });
    crashed.actor.send({ type: "crash" });
    expect(exitOf(crashed.actor)).toMatchObject({
      error: { message: "crashed; its clean-up failed too: close failed", errors: [{ message: "crashed" }, {}] },
    });
    const killed = open({ close });
    kill(killed.actor);
    expect(exitOf(killed.actor)).toMatchObject({ error: { message: expect.stringContaining("close failed") } });
  });

  it("fails its start when it does not open", () => {
    const closed = fromResource(() => {
      throw new Error("EADDRINUSE");
    });
    const actor = createActor(closed, { input: undefined });
    actor.subscribe({ error: () => undefined });
    actor.start();
    expect(exitOf(actor)).toMatchObject({ error: { message: "EADDRINUSE" } });
  });

  it("sends its owner events, and is closed with it", () => {
    const log: string[] = [];
    const socket = fromResource(({ sendParent }) => {
      sendParent({ type: "opened" });
      return () => log.push("close");
    });
    const machine = setup({ actors: { socket } }).createMachine({
      invoke: { src: "socket" },
      on: { opened: { actions: () => log.push("told") } },
    });
    const actor = createActor(machine).start();
    expect(log).toEqual(["told"]);
    actor.stop();
    expect(log).toEqual(["told", "close"]);
  });
});
