import { type FunConfigInput, type GatewayOptions, type Service, startGenApi } from "gen-api";
import { beforeAll, describe, expect, test } from "vitest";
import { keep, startGateway, startNode } from "../support/cluster.ts";

const fileOf = (name: string) => new URL(`../fixtures/definitions/${name}`, import.meta.url);
const importFile = async (name: string) => import(fileOf(name).href);

/** A gateway without clients, until the end of the test. */
const start = async (options: GatewayOptions) =>
  keep(await startGenApi({ logger: false, workerPool: { threads: 1 }, ...options }));

const refusalOf = (options: GatewayOptions) => start(options).catch((thrown: unknown) => thrown as Error);

async function chunksOf(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** A FunConfig without arguments. */
const configOf = (requestType: string, mfa: FunConfigInput["mfa"], more: Partial<FunConfigInput> = {}) => ({
  service: "s",
  requestType,
  nodes: "local" as const,
  timeout: 5_000,
  mfa,
  ...more,
});

describe("two services of one file each run their own function,", () => {
  let services: Awaited<ReturnType<typeof importFile>>;
  beforeAll(async () => {
    services = await importFile("two-services.js");
  });

  const call = async (gateway: Awaited<ReturnType<typeof start>>, service: string, requestType: string, args = {}) =>
    gateway.call({ service, requestType, args });

  test("on threads and on the main thread, calls and streams", async () => {
    const { users, accounts, onMain, alsoOnMain } = services;
    const gateway = await start({ functions: [users, accounts, onMain, alsoOnMain] });
    for (const service of ["users", "accounts", "on_main", "also_on_main"]) {
      expect(await call(gateway, service, "list")).toBe(service);
      expect(await chunksOf(gateway.stream({ service, requestType: "numbers" }))).toEqual([service]);
    }
  });

  test("and have their own permission callbacks and hooks", async () => {
    const { users, forbidding } = services;
    const gateway = await start({ functions: [forbidding, users] });
    expect(await call(gateway, "users", "allowed")).toBe("users allowed");
    await expect(call(gateway, "forbidding", "allowed")).rejects.toMatchObject({ code: "permission_denied" });
    expect(await call(gateway, "users", "hooked", { text: "x" })).toBe("x by users");
    expect(await call(gateway, "forbidding", "hooked", { text: "x" })).toBe("x by forbidding");
  });

  test("on service nodes, on their threads and main threads", async () => {
    const { users, accounts, onMain, alsoOnMain, forbidding } = services;
    const gateway = await startGateway({ pushableModules: ["users"], modules: { users: fileOf("two-services.js") } });
    const withoutHooks = [users, accounts, onMain, alsoOnMain, forbidding].flatMap(({ functions }) =>
      functions.filter(({ afterExecute }: FunConfigInput) => afterExecute === undefined),
    );
    const modules = Object.fromEntries(
      ["users", "accounts", "on_main", "also_on_main", "forbidding"].map((name) => [name, fileOf("two-services.js")]),
    );
    const node = await startNode([gateway], { name: "n@1", functions: withoutHooks, modules });
    await node.connected();
    for (const service of ["users", "accounts", "on_main", "also_on_main"]) {
      expect(await call(gateway, service, "list")).toBe(service);
      expect(await chunksOf(gateway.stream({ service, requestType: "numbers" }))).toEqual([service]);
    }
    expect(await call(gateway, "accounts", "allowed")).toBe("accounts allowed");
    await expect(call(gateway, "forbidding", "allowed")).rejects.toMatchObject({ code: "permission_denied" });
  });

  test("also where they are added while the gateway runs", async () => {
    const file = fileOf("two-services.js");
    const gateway = await start({ modules: { users: file, accounts: file } });
    await gateway.configCache.batchAdd(
      [services.users, services.accounts].flatMap(({ functions }) =>
        functions.filter(({ requestType }: FunConfigInput) => requestType === "list"),
      ),
    );
    expect(await call(gateway, "users", "list")).toBe("users");
    expect(await call(gateway, "accounts", "list")).toBe("accounts");
  });

  test("and a module of another name means what the file exports, or the only service that has the function", async () => {
    const gateway = await start({
      modules: { m: fileOf("two-services.js") },
      functions: [services.users, configOf("exported", "m.list")],
    });
    expect(await call(gateway, "s", "exported")).toBe("exported");
    expect(await call(gateway, "users", "list")).toBe("users");
    await expect(gateway.configCache.add(configOf("which", "m.hooked"))).rejects.toMatchObject({
      code: "function_missing",
      message: expect.stringMatching(
        /two-services\.js has a function "hooked" in each of the services "accounts"|"users"/,
      ),
    });
  });

  test("and each has its own circuit breaker", async () => {
    const { failing, working } = await importFile("failing-twins.js");
    const gateway = await start({
      functions: [failing, working],
      workerPool: { threads: 1, circuitBreakerThreshold: 1 },
    });
    await expect(call(gateway, "failing", "run")).rejects.toMatchObject({ code: "internal" });
    await expect(call(gateway, "failing", "run")).rejects.toMatchObject({ code: "unavailable" });
    expect(await call(gateway, "working", "run")).toBe("works");
    expect(gateway.diagnostics.pools()[0]?.openCircuits).toMatchObject([{ moduleName: "failing", function: "run" }]);
  });
});

describe("a service that its file does not export is refused, whatever else of that name the file has:", () => {
  const file = fileOf("unexported-services.js");
  let services: Record<string, Service>;
  beforeAll(async () => {
    ({ services } = await importFile("unexported-services.js"));
  });

  const refusal = (service: string, name: string) => ({
    code: "function_missing",
    message: expect.stringMatching(
      `unexported-services\\.js does not export the service "${service}" with a function "${name}", so that threads cannot find it: export it`,
    ),
  });

  test.each([
    ["another service's function", "accounts", "list"],
    ["another service's function, of a service whose module the host names", "given", "list"],
    ["an exported function", "reports", "details"],
  ])("%s", async (_what, name, requestType) => {
    const service = services[name] as Service;
    const { functions } = service;
    const onMain = { ...service, functions: functions.map((each) => ({ ...each, runOn: "main" as const })) };
    Object.defineProperty(onMain, Symbol.for("gen-api.service-handlers"), { value: true });
    for (const each of [service, onMain]) {
      const modules = { given: file };
      await expect(start({ modules, functions: [each, services.exported as Service] })).rejects.toMatchObject(
        refusal(name, requestType),
      );
      const node = startNode([await startGateway()], { name: "n@1", modules, functions: [each] });
      await expect(node).rejects.toMatchObject(refusal(name, requestType));
    }
  });

  test("and so is a callback by the name of a service that has none of that name, though another of the file has", async () => {
    const file = fileOf("two-services.js");
    const misnamed = configOf("x", "two.list", { permissionCallback: "users.only_of_accounts" });
    await expect(start({ modules: { two: file, users: file }, functions: [misnamed] })).rejects.toMatchObject({
      code: "function_missing",
    });
  });
});

describe("one service", () => {
  test("may be spread over files", async () => {
    const [a, b] = [await importFile("split-a.js"), await importFile("split-b.js")];
    const gateway = await start({ functions: [a.default, b.default] });
    expect(await gateway.call({ service: "split", requestType: "a" })).toBe("from a");
    expect(await gateway.call({ service: "split", requestType: "b" })).toBe("from b");
  });

  test("comes before a module that has its name", async () => {
    const { default: service } = await importFile("split-a.js");
    const gateway = await start({ modules: { split: fileOf("default-object.js") }, functions: [service] });
    expect(await gateway.call({ service: "split", requestType: "a" })).toBe("from a");
  });

  test("with two functions of one key is refused, naming service, function and files", async () => {
    const [a, other] = [await importFile("split-a.js"), await importFile("split-conflict.js")];
    const error = await refusalOf({ functions: [a.default, other.default] });
    expect(error).toMatchObject({ code: "invalid_option" });
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /functions\[1\] a \(file:.*split-conflict\.js\): the service "split" of functions\[0\] \(file:.*split-a\.js\) has a function "a" too/,
      ),
    });
  });

  test("defined twice in a file with one key is refused, whichever of the two is given", async () => {
    const { first, second } = await importFile("same-service-twice.js");
    expect(await refusalOf({ functions: [first, second] })).toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining('the service "twice" of functions[0]'),
    });
    for (const functions of [[first], [second]]) {
      expect(await refusalOf({ functions })).toMatchObject({
        code: "function_missing",
        message: expect.stringMatching(
          /same-service-twice\.js exports several services "twice" with a function "list"/,
        ),
      });
    }
  });

  test("given twice counts once", async () => {
    const { default: service } = await importFile("split-a.js");
    const gateway = await start({ functions: [service, service] });
    expect(gateway.configCache.count).toBe(1);
  });

  test("with two functions of one name and version is refused, and so is a batch", async () => {
    const { default: service } = await importFile("split-a.js");
    const again = configOf("a", "split.a", { service: "split" });
    expect(await refusalOf({ functions: [service, again] })).toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(
        "functions[1]: requestType and version are those of functions[0] a too: split.a",
      ),
    });
    const gateway = await start({ functions: [service] });
    await expect(gateway.configCache.batchAdd([again, again])).rejects.toMatchObject({ code: "invalid_config" });
  });
});

describe("functions are found in", () => {
  test.each([
    "common-object.cjs",
    "common-typescript.cjs",
    "common-esbuild.cjs",
    "default-object.js",
    "default-list.js",
  ])("%s: a function and the handler of a service", async (file) => {
    const gateway = await start({
      modules: { common: fileOf(file) },
      functions: [
        configOf("hi", "common.hi"),
        configOf("list", "common.list"),
        configOf("on_main", "common.hi", { runOn: "main" }),
      ],
    });
    const call = (requestType: string) => gateway.call({ service: "s", requestType });
    expect([await call("hi"), await call("list"), await call("on_main")]).toEqual(["hi", "common", "hi"]);
  });

  test("common-exports.cjs and common-service.cjs, which have one of the two", async () => {
    const gateway = await start({
      modules: { e: fileOf("common-exports.cjs"), s: fileOf("common-service.cjs") },
      functions: [configOf("hi", "e.hi"), configOf("list", "s.list")],
    });
    expect(await gateway.call({ service: "s", requestType: "hi" })).toBe("hi");
    expect(await gateway.call({ service: "s", requestType: "list" })).toBe("common");
  });

  test("a CommonJS module that requires the package at the moment in which a thread imports it for another", async () => {
    const modules = { late: fileOf("common-late.cjs") };
    const gateway = await start({ modules, functions: [configOf("late", "late.requireWhileImported")] });
    expect(await gateway.call({ service: "s", requestType: "late" })).toBe("function");
  });

  test("none of them where only a prototype has it", async () => {
    const names = ["toString", "constructor", "hasOwnProperty", "valueOf", "call", "then", "__proto__", "missing"];
    const files = ["common-object.cjs", "common-exports.cjs", "default-object.js", "default-list.js"];
    const gateway = await start({ modules: Object.fromEntries(files.map((file) => [file, fileOf(file)])) });
    for (const module of files) {
      for (const name of names) {
        for (const runOn of ["worker", "main"] as const) {
          const added = gateway.configCache.add(configOf("x", { module, function: name }, { runOn }));
          await expect(added, `${module} ${name}`).rejects.toMatchObject({ code: "function_missing" });
        }
      }
    }
  });

  test("a module that has another function only: the message lists what there is", async () => {
    const refused = async (file: string) =>
      (await refusalOf({ modules: { m: fileOf(file) }, functions: [configOf("x", "m.missing")] })) as Error;
    expect((await refused("default-object.js")).message).toMatch(
      /default-object\.js has no function "missing"; it exports "default", and in its default export "hi", "common", "broken", the service "common" \("list"\)$/,
    );
    expect((await refused("common-service.cjs")).message).toContain('the service "common" ("list")');
  });
});
