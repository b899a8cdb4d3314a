import { describe, expect, test } from "vitest";
import { checkPushedConfig, type PushRules } from "../../../src/sync/intake/check-pushed-config.ts";
import { FailedConfigs } from "../../../src/sync/push/failed-configs.ts";
import { fun, openReceiver } from "../open-receiver.ts";

const rules: PushRules = {
  service: "users",
  nodes: ["a"],
  pushableModules: new Set(["pushable"]),
  isOfHost: (requestType, version) => requestType === "ping" && version === "1.0.0",
};
const { nodes: _local, ...right } = fun("get");
const check = (fields: object) => checkPushedConfig({ ...right, ...fields }, rules);

describe("a node may not", () => {
  test("register functions of another service", () => {
    expect(check({ service: "orders" })).toEqual(['service must be "users", which is being registered, got "orders"']);
    expect(check({ service: undefined })).toHaveLength(1);
  });

  test('have a gateway run its functions: nodes "local" is refused', () => {
    expect(check({ nodes: "local" })).toEqual([expect.stringContaining('nodes must not be "local"')]);
  });

  test("say runOn, whatever it holds", () => {
    for (const runOn of ["worker", "main", null, 1]) {
      expect(check({ runOn })).toEqual([expect.stringContaining("runOn must be left out")]);
    }
  });

  test("send calls to other nodes", () => {
    expect(check({ nodes: ["b"] })).toEqual(['nodes must be left out or hold only "a", got "b"']);
    expect(check({ nodes: ["a", "b"] })).toHaveLength(1);
    expect(check({ nodes: [] })).toHaveLength(1);
    expect(check({ nodes: [["a"]] })).toHaveLength(1);
  });

  test("name a resolver of a module that is not pushable, in whatever form", () => {
    for (const nodes of [{ module: "secrets", function: "read" }, "secrets.read", 1, { function: "read" }]) {
      expect(check({ nodes })).toEqual([
        expect.stringMatching(/^nodes must name a function of the gateway's pushable/),
      ]);
    }
  });

  test("name hooks of a module that is not pushable, in whatever form", () => {
    for (const field of ["beforeExecute", "afterExecute"]) {
      for (const hook of [{ module: "secrets", function: "read" }, "secrets.read", "pushableX.read", 1, ["pushable"]]) {
        expect(check({ [field]: hook })).toEqual([expect.stringMatching(`^${field} must name a function`)]);
      }
    }
  });

  test("replace a function that the host registered", () => {
    expect(check({ requestType: "ping", version: "1.0.0" })).toEqual([expect.stringContaining("host program")]);
    expect(check({ requestType: "ping", version: "2.0.0" })).toEqual([]);
  });

  test("send what is no FunConfig at all, or has a name without end", () => {
    for (const value of [null, 1, "get", [right]]) {
      expect(checkPushedConfig(value, rules)).toEqual([expect.stringContaining("must be a FunConfig")]);
    }
    expect(check({ requestType: "x".repeat(257) })).toEqual(["requestType must have at most 256 characters, got 257"]);
  });
});

describe("a node may", () => {
  test("leave nodes out, or name itself", () => {
    expect(check({})).toEqual([]);
    expect(check({ nodes: null })).toEqual([]);
    expect(check({ nodes: ["a"] })).toEqual([]);
  });

  test("name functions of pushable modules as resolver and hooks", () => {
    const mfa = { module: "pushable", function: "f" };
    expect(check({ nodes: mfa, beforeExecute: mfa, afterExecute: "pushable.f" })).toEqual([]);
  });

  test("name its own modules for the function and its permission callback", () => {
    expect(check({ mfa: "anything.f", permissionCallback: "anything.g" })).toEqual([]);
  });
});

test("A pushed function with a resolver of a pushable module is registered with it", async () => {
  await using gateway = openReceiver();
  const nodes = { module: "pushable", function: "nodes" };
  await gateway.push("a", [fun("get", { nodes })]);
  expect(gateway.table()).toEqual({ "users get -": { ...nodes, args: [] } });
});

test("Refused functions are kept without the values of arguments, the last 1 000 or as many as configured", () => {
  const failed = new FailedConfigs(2);
  const add = (requestType: string, service: string, faults: string[]) =>
    failed.add({ requestType, version: null, faults, at: requestType.length, service, node: "a", via: "push" });
  add("x", "users", ["timeout must be 100 or more, got 5"]);
  add("xx", "users", ['mfa must be {module, function, args} or "module.function", got "hunter2"']);
  add("xxx", "orders", ['argTypes.key.defaultValue must be a number, got "hunter2"', "runOn must be left out"]);
  expect(failed.list().map(({ faults }) => faults)).toEqual([
    ['mfa must be {module, function, args} or "module.function"'],
    ["argTypes.key.defaultValue must be a number", "runOn must be left out"],
  ]);
  expect(failed.list("users").map(({ requestType }) => requestType)).toEqual(["xx"]);
  expect(failed.summary()).toEqual({ count: 2, total: 3, services: { users: 1, orders: 1 }, lastAt: 3 });
  failed.clear();
  expect([failed.list(), failed.summary()]).toEqual([[], { count: 0, total: 0, services: {}, lastAt: null }]);
  add("y", "users", []);
  expect(failed.list()).toHaveLength(1);
});
