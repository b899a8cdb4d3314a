import {
  defineService,
  type FunConfigInput,
  isValidFunConfig,
  startGenApi,
  startServiceNode,
  validateFunConfig,
} from "gen-api";
import { link } from "gen-api/link";
import { metrics } from "gen-api/metrics";
import { describe, expect, test } from "vitest";
import { keep, startGateway } from "../support/cluster.ts";

const m = new URL("../fixtures/main-functions.js", import.meta.url);
const configOf = (args: unknown[], more: object = {}) =>
  ({
    service: "s",
    requestType: "t",
    nodes: "local",
    timeout: 1_000,
    mfa: { module: "m", function: "all", args },
    ...more,
  }) as FunConfigInput;
const cycle: unknown[] = [];
cycle.push(cycle);
const throwing = {
  get secret(): never {
    throw Object.create(null);
  },
};
const proxy = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new TypeError("no keys");
    },
    get: () => {
      throw new TypeError("no get");
    },
    getPrototypeOf: () => {
      throw new TypeError("no prototype");
    },
  },
); // prettier-ignore

/** What no JSON holds; each is refused on a node with its place. */
const notJson: Record<string, unknown> = {
  bigint: 10n,
  Map: new Map(),
  Set: new Set(),
  symbol: Symbol("s"),
  function: () => 1,
  Date: new Date(5),
  NaN: Number.NaN,
  Uint8Array: new Uint8Array(1),
  nothing: undefined,
  cycle,
};

describe("what a FunConfig cannot say is a GenApiError with its field", () => {
  test.each(Object.entries(notJson))("on a node: %s in mfa.args", async (_name, value) => {
    const start = startServiceNode({
      logger: false,
      name: "n@1",
      modules: { m },
      functions: [configOf([1, { deep: [value] }])],
      cluster: link({ gateways: ["ws://127.0.0.1:9/node"] }),
    });
    await expect(start).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringMatching(/functions\[0\]: mfa\.args\[1\]\.deep\[0\].* (must be what|must have at most)/),
    });
  });

  test("on a node: in what hooks, callbacks and pulls are called with", async () => {
    const called = { module: "m", function: "all", args: [10n] };
    const start = startServiceNode({
      logger: false,
      name: "n@1",
      modules: { m },
      functions: [configOf([], { permissionCallback: called, beforeExecute: called, requestType: "a" })],
      pull: { module: "m", function: "all", args: [new Map()] },
      cluster: link({ gateways: ["ws://127.0.0.1:9/node"] }),
    });
    await expect(start).rejects.toMatchObject({
      message: expect.stringContaining("permissionCallback.args[0] must be"),
    });
    await expect(start).rejects.toMatchObject({ message: expect.stringContaining("pull.args[0] must be") });
  });

  test.each([
    ["function", () => 1],
    ["symbol", Symbol("s")],
  ])("on a gateway: a %s in mfa.args, when it is registered", async (name, value) => {
    const message = `mfa.args[0].deep[1] must be what structuredClone can copy to a thread, got ${name}`;
    const config = configOf([{ deep: [1, value] }]);
    await expect(startGenApi({ logger: false, modules: { m }, functions: [config] })).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(`functions[0]: ${message}`),
    });
    const gateway = await startGateway({ modules: { m } });
    for (const added of [gateway.configCache.add(config), gateway.configCache.batchAdd([config])]) {
      await expect(added).rejects.toMatchObject({ code: "invalid_config", message: expect.stringContaining(message) });
    }
  });

  test("while all that structuredClone copies reaches a thread", async () => {
    const gateway = await startGateway({
      modules: { m },
      functions: [configOf([10n, new Map([[1, 2]]), new Set([1]), new Uint8Array([7]), new Date(5), cycle, undefined])],
    });
    // What comes back is JSON: that the function ran is told by its failure to encode a BigInt.
    const response = await gateway.request({ service: "s", requestType: "t" });
    expect(response).toMatchObject({ error_code: "internal" });
  });

  test("for nodes, on a gateway too", async () => {
    const gateway = await startGateway({ modules: { m } });
    const config = configOf([10n], { nodes: ["n@1"] });
    await expect(gateway.configCache.add(config)).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining(
        "mfa.args[0] must be what JSON can hold, since it is sent to other nodes, got 10",
      ),
    });
  });

  test("in pushConfig", async () => {
    const gateway = await startGateway({ adminActions: ["push_config"], modules: { m } });
    const push = (functions: unknown, more = {}) =>
      gateway.pushConfig({ node: "n@1", service: "s", functions, ...more } as Parameters<typeof gateway.pushConfig>[0]);
    for (const pushed of [
      push([configOf([10n])]),
      push([throwing]),
      push(new Map()),
      push([], { pull: { module: "m", function: "f", args: [1n] } }),
    ]) {
      await expect(pushed).rejects.toMatchObject({ code: "invalid_config" });
    }
    await expect(gateway.pushConfig(undefined as never)).rejects.toMatchObject({ code: "invalid_config" });
    await expect(gateway.configCache.batchAdd(new Map() as never)).rejects.toMatchObject({ code: "invalid_config" });
  });
});

describe("hostile values", () => {
  const hostile = [
    throwing,
    proxy,
    { requestType: throwing, mfa: proxy },
    configOf([throwing]),
    configOf([proxy]),
    { ...configOf([]), argTypes: proxy },
    1n,
    Symbol("s"),
    () => 1,
    null,
    undefined,
    cycle,
  ];

  test("never make validateFunConfig throw", () => {
    for (const value of hostile) {
      expect(isValidFunConfig(value)).toBe(false);
      expect(validateFunConfig(value)).toMatchObject({ ok: false });
    }
    expect(
      validateFunConfig({
        ...configOf([]),
        get timeout(): number {
          throw new Error("no time");
        },
      }),
    ).toMatchObject({
      faults: [expect.stringContaining("timeout cannot be read: no time")],
    });
  });

  test("in options are one GenApiError", async () => {
    for (const value of [...hostile, { service: Symbol("s"), requestType: Symbol("t") }]) {
      const starts = [
        startGenApi({ logger: false, functions: [value] } as never),
        startServiceNode({
          logger: false,
          name: "n",
          functions: [value],
          cluster: link({ gateways: ["ws://127.0.0.1:9/n"] }),
        } as never),
        startServiceNode(value as never),
      ];
      for (const start of starts) await expect(start).rejects.toMatchObject({ code: "invalid_option" });
    }
    const options = {
      workerPool: {
        get threads(): number {
          throw new Error("no threads");
        },
      },
    };
    await expect(startGenApi(options)).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining("workerPool.threads cannot be read: no threads"),
    });
  });

  test("in defineService are a GenApiError that names the function", () => {
    const define = defineService as (...given: unknown[]) => unknown;
    for (const [given, message] of [
      [["s", import.meta.url, { f: {} }], "f.handler must be a function, got nothing"],
      [["s", import.meta.url, { f: null }], "f must be a definition with a handler, got null"],
      [["s", import.meta.url, new Map()], "its functions must be a map of definitions"],
      [["s", import.meta.url, undefined], "its functions must be a map of definitions"],
      [["s", import.meta, { f: { handler: () => 1 } }], "the second argument must be import.meta.url"],
      [["s", "/a/b.js", { f: { handler: () => 1 } }], "the second argument must be import.meta.url"],
      [["", import.meta.url, {}], "the service's name must be a non-empty string"],
      [[1n, import.meta.url, {}], "the service's name must be a non-empty string, got 1"],
      [["s", import.meta.url, proxy], "cannot be read"],
    ] as const) {
      expect(() => define(...given)).toThrowError(
        expect.objectContaining({ code: "invalid_config", message: expect.stringContaining(message) }),
      );
    }
  });

  test("in metrics() are a GenApiError", () => {
    for (const options of [
      { prefix: "9 x" },
      { buckets: [2, 1] },
      { registry: {} },
      { maxFunctions: 1n },
      { other: 1 },
    ]) {
      expect(() => metrics(options as never)).toThrowError(expect.objectContaining({ code: "invalid_option" }));
    }
  });
});

describe("a version", () => {
  const versions = ["1.0.0", "1.0.0+build.5", "1.0.0+build.10", "1.0.0-rc.1+x"];
  test("may have build metadata, is asked for by its whole name, and the higher build is the latest", async () => {
    const functions = versions.map((version) => configOf([version], { version }));
    const gateway = keep(await startGenApi({ logger: false, modules: { m }, functions }));
    const call = (version?: string) =>
      gateway.call({ service: "s", requestType: "t", ...(version === undefined ? {} : { version }) });
    for (const version of versions) expect(await call(version)).toEqual([version]);
    expect(await call()).toEqual(["1.0.0+build.10"]);
    await expect(call("1.0.0+build.7")).rejects.toMatchObject({ code: "not_found" });
  });

  test.each(["v1.0.0", " 1.0.0", "1.0.0 ", "=1.0.0", "1.0", "1.0.0+", "1.0.0+a_b", "01.0.0", "latest", ""])(
    "is not %j, registered or asked for",
    async (version) => {
      const faults = [expect.stringContaining("version must be a semantic version")];
      expect(validateFunConfig(configOf([], { version }))).toMatchObject({ ok: false, faults });
      const gateway = keep(await startGenApi({ logger: false, modules: { m }, functions: [configOf([])] }));
      const called = gateway.call({ service: "s", requestType: "t", version });
      await expect(called).rejects.toMatchObject({ code: "invalid_request" });
    },
  );

  test("is reserved where it is 0.0.0, whatever its build", () => {
    for (const version of ["0.0.0", "0.0.0+b"]) expect(isValidFunConfig(configOf([], { version }))).toBe(false);
  });
});
