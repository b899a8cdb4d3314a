import { describe, expect, test } from "vitest";
import { parseFunConfig } from "../../../src/config/fun-config.ts";
import {
  differ,
  type FunctionSet,
  FunctionSets,
  functionKey,
  sameFunctions,
  sameNodes,
  sameSet,
} from "../../../src/sync/sets/function-sets.ts";
import { fun } from "../open-receiver.ts";

/** A set of functions by their names, each with a content; `nodes` of its own where it names some. */
function setOf(functions: Record<string, string>, fields: Partial<FunctionSet> = {}): FunctionSet {
  const held = Object.entries(functions).map(([requestType, hash]) => {
    const entry = { config: parseFunConfig(fun(requestType)) };
    return [
      functionKey(requestType, null),
      { requestType, version: null, hash, sent: {}, entry, nodes: null },
    ] as const;
  });
  return {
    functions: new Map(held),
    count: held.length,
    configVersion: "1",
    functionsHash: null,
    nodes: ["a"],
    origin: "pushed",
    pull: null,
    isOwn: true,
    ...fields,
  };
}

const key = functionKey("get", null);

describe("the sets of a service's nodes", () => {
  test("make each function what its newest set says, on all nodes that have it, sorted", () => {
    const sets = new FunctionSets();
    sets.put("users", "b", setOf({ get: "1" }, { nodes: ["b"] }));
    sets.put("users", "a", setOf({ get: "2", put: "1" }, { nodes: ["a"], origin: "pulled" }));
    expect(sets.effective("users", key)).toMatchObject({ held: { hash: "2" }, nodes: ["a", "b"], origin: "pulled" });
    sets.put("users", "b", setOf({ get: "3" }, { nodes: ["b"] }));
    expect(sets.effective("users", key)).toMatchObject({ held: { hash: "3" }, nodes: ["a", "b"], origin: "pushed" });
    expect(sets.effective("users", functionKey("put", null))?.nodes).toEqual(["a"]);
    expect([sets.effective("users", functionKey("x", null)), sets.effective("orders", key)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("run on whom a resolver names where the newest set has one", () => {
    const sets = new FunctionSets();
    const resolver = { module: "m", function: "f", args: [] };
    sets.put("users", "", setOf({ get: "1" }, { nodes: resolver }));
    expect(sets.effective("users", key)?.nodes).toEqual(resolver);
    sets.put("users", "a", setOf({ get: "1" }));
    expect(sets.effective("users", key)?.nodes).toEqual(["a"]);
  });

  test("keep their order when the node says that its set is still right, or whose word it is changes", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({ get: "1" }, { isOwn: false }));
    sets.put("users", "b", setOf({ get: "2" }, { nodes: ["b"] }));
    const pull = { module: "m", getFunctions: "f" } as never;
    sets.confirm("users", "a", pull);
    expect(sets.get("users", "a")).toMatchObject({ isOwn: true, pull });
    expect(sets.mark("users", "a", false)).toMatchObject({ isOwn: false, pull });
    expect(sets.effective("users", key)?.held.hash).toBe("2");
    sets.confirm("users", "c", null);
    expect([sets.mark("users", "c", true), sets.get("users", "c")]).toEqual([undefined, undefined]);
  });

  test("are gone with their last node, and so is the service", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({ get: "1" }));
    sets.put("users", "b", setOf({}));
    expect(sets.delete("users", "a")?.functions.size).toBe(1);
    expect([sets.services(), sets.servicesOf("a"), sets.servicesOf("b")]).toEqual([["users"], [], ["users"]]);
    sets.delete("users", "b");
    expect([sets.services(), sets.delete("users", "b")]).toEqual([[], undefined]);
  });

  test("count where one of them has functions, or is meant to have none; not where all were refused", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({}, { count: 2 }));
    expect([sets.has("users"), sets.has("orders")]).toEqual([false, false]);
    sets.put("users", "b", setOf({}));
    expect(sets.has("users")).toBe(true);
    sets.put("users", "b", setOf({ get: "1" }, { count: 2 }));
    expect(sets.has("users")).toBe(true);
  });

  test("have a live node, one of another name, or a resolver that may name one", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({ get: "1" }, { nodes: ["a"] }));
    const isA = (node: string) => node === "a";
    expect([sets.hasNodes("users", isA), sets.hasNodes("users", () => false)]).toEqual([true, false]);
    expect(sets.hasNodes("users", isA, "a")).toBe(false);
    sets.put("users", "", setOf({ get: "1" }, { nodes: { module: "m", function: "f", args: [] } }));
    expect(sets.hasNodes("users", () => false)).toBe(true);
  });

  test("tell which contents of others one takes the place of: those that are news", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({ get: "1", put: "1", same: "1" }));
    sets.put("users", "b", setOf({ get: "2" }, { nodes: ["b"] }));
    const set = setOf({ get: "3", put: "2", same: "1", own: "1" }, { nodes: ["c"] });
    expect(sets.replacedBy("users", "c", set)).toEqual({ node: "a", functions: ["get", "put"] });
    sets.put("users", "c", set);
    expect(sets.replacedBy("users", "c", set)).toBeNull();
    expect(sets.replacedBy("users", "a", setOf({ get: "1" }))).toBeNull();
  });

  test("are found by their version, the newest first", () => {
    const sets = new FunctionSets();
    sets.put("users", "a", setOf({}, { configVersion: "1" }));
    sets.put("users", "b", setOf({}, { configVersion: "1" }));
    sets.put("users", "c", setOf({}, { configVersion: "2" }));
    expect(sets.newestWithVersion("users", "1")?.[0]).toBe("b");
    sets.put("users", "a", setOf({}, { configVersion: "1" }));
    expect(sets.newestWithVersion("users", "1")?.[0]).toBe("a");
    expect([sets.newestWithVersion("users", "3"), sets.newestWithVersion("orders", "1")]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe("two sets", () => {
  const one = setOf({ get: "1", put: "1" });

  test("are the same where nothing would change, down to their version, nodes and how many were sent", () => {
    expect(sameSet(one, setOf({ get: "1", put: "1" }))).toBe(true);
    for (const change of [
      { configVersion: "2" },
      { functionsHash: "h" },
      { count: 3 },
      { nodes: ["a", "b"] },
      { nodes: ["b"] },
    ]) {
      expect(sameSet(one, { ...one, ...change })).toBe(false);
    }
    expect(sameFunctions(one, setOf({ get: "1" }))).toBe(false);
    expect(sameFunctions(setOf({ get: "1" }), one)).toBe(false);
    expect(sameFunctions(one, setOf({ get: "1", put: "2" }))).toBe(false);
    expect(sameFunctions(one, setOf({ get: "1", other: "1" }))).toBe(false);
  });

  test("differ as far as it shows: what was refused of one may be what the other has more", () => {
    expect(differ(one, setOf({ get: "1", put: "1" }))).toBe(false);
    expect(differ(one, setOf({ get: "1", other: "1" }))).toBe(true);
    expect(differ(one, setOf({ get: "1" }, { count: 2 }))).toBe(false);
    expect(differ(one, setOf({ get: "2" }, { count: 2 }))).toBe(true);
    expect(differ(one, setOf({ get: "1" }))).toBe(true);
  });

  test("have the same nodes where these are the same names in the same order, or the same resolver", () => {
    expect(sameNodes(["a", "b"], ["a", "b"])).toBe(true);
    expect(sameNodes(["a", "b"], ["b", "a"])).toBe(false);
    expect(sameNodes(["a"], ["a", "b"])).toBe(false);
    expect(sameNodes({ module: "m" }, { module: "m" })).toBe(true);
    expect(sameNodes({ module: "m" }, ["m"])).toBe(false);
    expect(sameNodes(undefined, ["a"])).toBe(false);
  });
});

test("A function's key is no other's, whatever its names are", () => {
  const names = ["get", "get 1", "1 get", "", " "];
  const keys = names.flatMap((name) => [functionKey(name, null), functionKey(name, "1.0.0")]);
  expect(new Set(keys).size).toBe(keys.length);
});
