import { describe, expect, it } from "vitest";
import { createActor } from "xstate";
import { kill } from "../../../src/actor/lifecycle/exit.ts";
import { createRegistry } from "../../../src/actor/registry/registry.ts";
import { fromResource } from "../../../src/actor/resource.ts";
import { settled } from "../../support/simulated-clock.ts";

function startActor(id: string) {
  const actor = createActor(
    fromResource(() => () => undefined),
    { id, input: undefined },
  );
  actor.subscribe({ error: () => undefined });
  return actor.start();
}

describe("a registry", () => {
  it("gives a unique key to one living actor at a time", () => {
    const registry = createRegistry<string, number>({ keys: "unique" });
    const [a, b] = [startActor("a"), startActor("b")];
    registry.register("key", a, 1);
    expect(() => registry.register("key", b, 2)).toThrow(expect.objectContaining({ code: "already_started" }));
    expect(registry.lookup("key")).toEqual([{ ref: a, value: 1 }]);
    kill(a);
    expect(registry.lookup("key")).toEqual([]);
    registry.register("key", b, 2);
    expect(registry.lookup("key")).toEqual([{ ref: b, value: 2 }]);
  });

  it("gives a duplicate key to any number, and dispatches to all", () => {
    const registry = createRegistry<string, number>({ keys: "duplicate" });
    const [a, b, c] = [startActor("a"), startActor("b"), startActor("c")];
    for (const [index, ref] of [a, b, c].entries()) registry.register("topic", ref, index);
    expect(() => registry.register("topic", a, 9)).toThrow(expect.objectContaining({ code: "already_started" }));
    kill(b);
    const seen: number[] = [];
    registry.dispatch("topic", ({ ref, value }) => {
      // Ending an entry while dispatching does not skip the next.
      kill(ref);
      seen.push(value);
    });
    expect(seen).toEqual([0, 2]);
    expect(registry.count()).toBe(0);
    registry.register("topic", startActor("d"), 3);
    registry.dispatch("topic", ({ value }) => {
      // One that is registered while dispatching is not called.
      registry.register("topic", startActor("e"), value + 1);
    });
    expect(registry.lookup("topic").map(({ value }) => value)).toEqual([3, 4]);
  });

  it("knows an actor's keys, and forgets all of them when it ends", async () => {
    const registry = createRegistry<string, undefined>({ keys: "unique" });
    const a = startActor("a");
    for (const key of ["x", "y", "z"]) registry.register(key, a, undefined);
    registry.unregister("y", a);
    registry.unregister("never", a);
    expect(registry.keys(a)).toEqual(["x", "z"]);
    expect(registry.count()).toBe(2);
    kill(a);
    expect(registry.count()).toBe(0);
    expect(registry.keys(a)).toEqual([]);
    registry.register("late", a, undefined);
    await settled();
    expect(registry.count()).toBe(0);
  });

  it("leaves an actor alone whose last key was unregistered", () => {
    const registry = createRegistry<string, undefined>({ keys: "unique" });
    const [a, b] = [startActor("a"), startActor("b")];
    registry.register("key", a, undefined);
    registry.unregister("key", a);
    registry.register("key", b, undefined);
    kill(a);
    expect(registry.lookup("key")).toEqual([{ ref: b, value: undefined }]);
  });
});
