import { describe, expect, test } from "vitest";
import { isValidFunConfig, parseFunConfig, validateFunConfig } from "../../src/config/fun-config.ts";

const minimal = { service: "users", requestType: "get", nodes: "local", timeout: 5_000, mfa: "users.get" };

function faultsOf(fields: Record<string, unknown>): readonly string[] {
  const validation = validateFunConfig({ ...minimal, ...fields });
  return validation.ok ? [] : validation.faults;
}

test("a minimal configuration gets the documented defaults", () => {
  expect(parseFunConfig(minimal)).toEqual({
    service: "users",
    requestType: "get",
    nodes: "local",
    nodesTtlMs: 5_000,
    timeout: 5_000,
    mfa: { module: "users", function: "get", args: [] },
    chooseNodeMode: "random",
    argTypes: null,
    argOrders: [],
    responseType: "sync",
    checkPermission: false,
    permissionCallback: null,
    version: null,
    disabled: false,
    retry: null,
    beforeExecute: null,
    afterExecute: null,
    hookTimeout: 5_000,
    requestInfo: false,
    runOn: "worker",
    description: null,
    deprecated: false,
    argsSchema: null,
    resultSchema: null,
    chunkSchema: null,
    hints: {},
  });
});

test("a configuration with every field of the reference is valid", () => {
  expect(
    validateFunConfig({
      requestType: "get_user",
      service: "user_service",
      nodes: ["node1@host", "node2@host"],
      chooseNodeMode: { sticky: "user_id" },
      timeout: 5_000,
      mfa: { module: "api", function: "get_user", args: [1] },
      argTypes: { user_id: "string", fields: { type: "list_string", maxItems: 10 } },
      argOrders: ["user_id", "fields"],
      responseType: "sync",
      version: "2.0.0",
      checkPermission: { arg: "user_id" },
      permissionCallback: "permissions.check",
      retry: { allNodes: 3 },
      beforeExecute: { module: "hooks", function: "validate_quota" },
      afterExecute: { module: "hooks", function: "log_response", args: ["x"] },
      hookTimeout: 1_000,
      requestInfo: true,
      disabled: true,
      runOn: "main",
    }),
  ).toMatchObject({ ok: true });
});

describe("a fault names its field, what is allowed and what came:", () => {
  test.each([
    [{ requestType: "" }, 'requestType must be a non-empty string, got ""'],
    [{ service: 5 }, "service must be a non-empty string, got 5"],
    [{ service: undefined }, "service must be a non-empty string, got nothing"],
    [{ nodes: "elsewhere" }, 'nodes must be "local", a list of node names or a resolver {module, function, args}'],
    [{ nodes: [] }, 'nodes must be "local", a list of node names'],
    [{ chooseNodeMode: "nearest" }, 'chooseNodeMode must be "random", "hash", "roundRobin", {hash: argument}'],
    [{ timeout: 99 }, 'timeout must be a whole number from 100 to 300000 (milliseconds) or "infinity", got 99'],
    [{ timeout: 300_001 }, "got 300001"],
    [{ timeout: undefined }, "got nothing"],
    [{ mfa: "get" }, 'mfa must be {module, function, args} or "module.function", got "get"'],
    [{ mfa: { module: "users" } }, "mfa must be"],
    [{ argTypes: [] }, 'argTypes must be a map from names to types, "schema" or null, got list'],
    [{ argTypes: { a: "text" } }, "argTypes.a"],
    [{ argTypes: { a: "string" }, argOrders: ["a", "b"] }, "argOrders[1] must be the name of an argument in argTypes"],
    [{ argOrders: "list" }, 'argOrders must be a list of names or "map", got "list"'],
    [{ responseType: "later" }, 'responseType must be "sync", "async", "stream" or "none", got "later"'],
    [{ checkPermission: true }, "checkPermission must be false"],
    [{ checkPermission: { role: [] } }, "checkPermission must be false"],
    [{ version: "1" }, 'version must be a semantic version such as "1.0.0", or null, got "1"'],
    [{ version: "v1.0.0" }, "version must be a semantic version"],
    [{ version: "0.0.0" }, 'version must not be "0.0.0"'],
    [{ disabled: 1 }, "disabled must be true or false, got 1"],
    [{ retry: -1 }, "retry must be null, a number of retries"],
    [{ retry: { bothNodes: 1 } }, "retry must be null, a number of retries"],
    [{ beforeExecute: 1 }, "beforeExecute must be"],
    [{ hookTimeout: 0 }, "hookTimeout must be a whole number of milliseconds above 0, got 0"],
    [{ requestInfo: "yes" }, 'requestInfo must be true or false, got "yes"'],
    [{ runOn: "gpu" }, 'runOn must be "worker" or "main", got "gpu"'],
    [{ timeuot: 5 }, 'has unknown keys: "timeuot"'],
  ])("%j", (fields, fault) => {
    expect(faultsOf(fields)).toEqual([expect.stringContaining(fault)]);
  });
});

test("every fault is listed, and the thrown error holds them all", () => {
  const wrong = { ...minimal, timeout: 1, service: "", argTypes: { a: "text", b: { type: "map", maxBytes: 1 } } };
  expect(validateFunConfig(wrong)).toMatchObject({ ok: false, faults: { length: 4 } });
  expect(() => parseFunConfig(wrong)).toThrow(/service must.*timeout must.*argTypes.a must.*argTypes.b/s);
  expect(() => parseFunConfig(wrong)).toThrow(expect.objectContaining({ code: "invalid_config" }));
});

test("a valid configuration is a frozen copy: nobody changes it afterwards", () => {
  const given = { ...minimal, mfa: { module: "users", function: "get", args: [{ n: 1 }] } };
  const config = parseFunConfig(given);
  (given.mfa.args[0] as { n: number }).n = 2;
  expect(config.mfa.args).toEqual([{ n: 1 }]);
  expect(() => Object.assign(config, { timeout: 1 })).toThrow(TypeError);
  expect(() => Object.assign(config.mfa.args[0] as object, { n: 3 })).toThrow(TypeError);
});

test("no value makes the validation throw", () => {
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error("trap");
      },
      ownKeys() {
        throw new Error("trap");
      },
    },
  );
  for (const value of [null, undefined, 5, "x", [], () => 1, hostile, Object.create(null)]) {
    expect(validateFunConfig(value).ok).toBe(false);
    expect(isValidFunConfig(value)).toBe(false);
  }
  expect(isValidFunConfig(minimal)).toBe(true);
});

test("arguments named like an object's inherited properties are refused, not lost", () => {
  const argTypes = JSON.parse('{"__proto__": "string"}');
  expect(faultsOf({ argTypes })).toEqual([expect.stringContaining("__proto__")]);
});
