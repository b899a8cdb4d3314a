import { describe, expect, test } from "vitest";
import { cast } from "../../../src/actor/gen-server/gen-server.ts";
import { kill } from "../../../src/actor/lifecycle/exit.ts";
import { startSystem } from "../../../src/actor/system.ts";
import { type NodeSelectorRef, nodeSelectorActor } from "../../../src/policy/selection/node-selector.actor.ts";
import { functionKeyOf, NodeSelector } from "../../../src/policy/selection/node-selector.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const nodes = ["a", "b", "c"];
const nobody = { requestId: "r", args: {}, userId: null, deviceId: null };
const ann = { ...nobody, userId: "ann" };
const get = functionKeyOf({ service: "users", requestType: "get", version: null });
const sticky = { sticky: "userId" } as const;

function start() {
  const clock = new SimulatedClock();
  const selector = new NodeSelector(clock, () => 0.5);
  const system = startSystem({
    name: "test",
    clock,
    children: [{ id: "node_selector", logic: nodeSelectorActor, input: selector, name: "node_selector" }],
  });
  const ref = () => system.whereis<NodeSelectorRef>("node_selector");
  return { clock, selector, ref, [Symbol.asyncDispose]: async () => void (await system.shutdown()) };
}

describe("the node selector's actor", () => {
  test("can crash: turns and places are as they were", async () => {
    await using started = start();
    const { selector, ref } = started;
    expect(selector.select("roundRobin", get, nodes, nobody)).toBe("a");
    expect(selector.select(sticky, get, ["c"], ann)).toBe("c");
    const first = ref();
    kill(first!);
    await expect.poll(ref).not.toBe(first);
    expect(selector.select("roundRobin", get, nodes, nobody)).toBe("b");
    expect(selector.select(sticky, get, nodes, ann)).toBe("c");
    cast(ref(), "forget", get);
    expect(selector.select("roundRobin", get, nodes, nobody)).toBe("a");
  });

  test("forgets a function that is gone, and no other", async () => {
    await using started = start();
    const { clock, selector, ref } = started;
    const other = functionKeyOf({ service: "users", requestType: "get", version: "1.0.0" });
    for (const key of [get, other]) {
      selector.select("roundRobin", key, nodes, nobody);
      for (let user = 0; user < 100; user++) selector.select(sticky, key, nodes, { ...nobody, userId: `${user}` });
    }
    cast(ref(), "forget", get);
    expect([selector.roundRobin.size, selector.sticky.size]).toEqual([1, 100]);
    expect(selector.select("roundRobin", other, nodes, nobody)).toBe("b");
    cast(ref(), "clear");
    expect([selector.roundRobin.size, selector.sticky.size]).toEqual([0, 0]);
    // It takes, and forgets, as a new one does.
    expect(selector.select(sticky, get, ["b"], ann)).toBe("b");
    clock.advance(3_600_000);
    expect(selector.select(sticky, get, nodes, { ...nobody, userId: "bob" })).not.toBeNull();
    expect(selector.sticky.size).toBe(1);
    cast(ref(), "forget", get);
    expect(selector.sticky.size).toBe(0);
  });
});

test("functions whose names are alike do not share turns", () => {
  const names = ["a", "b", 'a","b', "a\0b", "a,b", ""];
  const keys = names.flatMap((service) =>
    names.flatMap((requestType) => [null, "1.0.0"].map((version) => functionKeyOf({ service, requestType, version }))),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

test("another node for a refused request leaves no trace: turns and places stay", () => {
  const selector = new NodeSelector(new SimulatedClock(), () => 0.5);
  selector.select("roundRobin", get, nodes, nobody);
  const home = selector.select(sticky, get, nodes, ann);
  const others = nodes.filter((node) => node !== home);
  for (let count = 0; count < 10; count++) {
    expect(nodes).toContain(selector.selectOther("roundRobin", nodes, nobody));
    expect(others).toContain(selector.selectOther(sticky, others, ann));
    expect(selector.selectOther({ hash: "k" }, others, { ...nobody, args: { k: 1 } })).toBe(
      selector.select({ hash: "k" }, get, others, { ...nobody, args: { k: 1 } }),
    );
  }
  expect(selector.selectOther("random", [], nobody)).toBeNull();
  expect(selector.select("roundRobin", get, nodes, nobody)).toBe("b");
  expect(selector.select(sticky, get, nodes, ann)).toBe(home);
});

test("turns are counted for 100 000 functions at most", () => {
  const selector = new NodeSelector(new SimulatedClock(), () => 0.5);
  for (let index = 0; index < 100_010; index++) selector.select("roundRobin", `f${index}`, nodes, nobody);
  expect(selector.roundRobin.size).toBe(100_000);
  expect(selector.select("roundRobin", "f100009", nodes, nobody)).toBe("b");
});
