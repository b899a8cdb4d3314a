import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { defineService, type GatewayOptions, startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { createAuthority } from "../support/network/certificates.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { connectClient } from "../support/phoenix-client.ts";

async function openServer(): Promise<Server & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const broken = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const functionIn = (module: string, fun = "f", more = {}) => ({
  service: "s",
  requestType: "t",
  nodes: "local" as const,
  timeout: 1_000,
  mfa: { module, function: fun },
  ...more,
});

describe("wrong options are told in one error that lists every fault by its path:", () => {
  test("all of them at once", async () => {
    const options = {
      name: "",
      listen: { port: 70_000 },
      socket: {
        path: "socket",
        maxChannels: 0,
        connect: "yes",
        allowedOrigins: ["https://ok.example", "bad"],
        trustProxy: ["10.0.0.0/8", "x"],
      },
      clock: { now: () => 0 },
      channels: [{ topic: "a*b" }, { topic: "ok", replyMode: "both" }],
      modules: { users: "./users.js" },
      functions: [functionIn("m", "f", { timeout: 5 }), 7],
      workerPool: { threads: 0, resourceLimits: { heap: 1, maxOldGenerationSizeMb: 1 } },
      detailError: "no",
      inspect: 1,
      unknown: true,
    } as unknown as GatewayOptions;
    const error = await startGenApi(options).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "GenApiError", code: "invalid_option" });
    for (const fault of [
      'name must be a string of 1 to 255 characters, got ""',
      "listen.port must be a port from 0 to 65535, got 70000",
      'socket.path must be a path such as "/socket", got "socket"',
      "socket.maxChannels must be a whole number of at least 1, got 0",
      'socket.connect must be a function, got "yes"',
      'socket.allowedOrigins[1] must be an origin such as "https://a.example"',
      'socket.trustProxy[1] must be an IP address or a CIDR such as "10.0.0.0/8", got "x"',
      "clock must be a clock with now, systemTime, setTimeout and clearTimeout, got map",
      'channels[0].topic must be an exact topic, or one that ends in its only "*"',
      'channels[1].replyMode must be "push" or "reply", got "both"',
      'modules.users must be the URL of an ES module, such as new URL("./users.js", import.meta.url), got "./users.js"',
      'functions[0]: timeout must be a whole number from 100 to 300000 (milliseconds) or "infinity", got 5',
      "functions[1]",
      "workerPool.threads must be a whole number of at least 1, got 0",
      'workerPool.resourceLimits has unknown keys: "heap"',
      "workerPool.resourceLimits.maxOldGenerationSizeMb must be a whole number of at least 16, got 1",
      'detailError must be true or false, got "no"',
      "inspect must be a function",
      'has unknown keys: "unknown"',
    ]) {
      expect(error.message).toContain(fault);
    }
  });

  test.each<[unknown, string]>([
    [{ port: "4000" }, 'listen.port must be a port from 0 to 65535, got "4000"'],
    [{ port: 0, host: null }, 'listen.host must be a host such as "127.0.0.1", got null'],
    [{ prot: 4000 }, 'listen has unknown keys: "prot" (allowed: "host", "port")'],
    [4000, "listen must be false or {host, port} with a port from 0 to 65535, got 4000"],
  ])("by its field, where listen is %j", async (listen, fault) => {
    await expect(startGenApi({ logger: false, listen } as GatewayOptions)).rejects.toThrow(fault);
  });

  test("a promise or a module in the place of the service that is in it", async () => {
    const file = "../fixtures/cluster/service.js";
    const functions = [import(file), await import(file), await import("node:path"), 7, null] as never;
    const error = await startGenApi({ logger: false, functions }).catch((thrown) => thrown);
    for (const fault of [
      "functions[0] must be a FunConfig or a service, got a promise: await it",
      'functions[1] must be a FunConfig or a service, got a module: give its export "default"',
      "functions[2] must be a FunConfig or a service, got a module that exports no service",
      "functions[3] must be a FunConfig or a service, got 7",
      "functions[4] must be a FunConfig or a service, got null",
    ]) {
      expect(error.message).toContain(fault);
    }
  });

  test("a service without a module", async () => {
    const service = defineService("orphan", { f: { handler: () => 1 } });
    await expect(startGenApi({ logger: false, functions: [service] })).rejects.toThrow(
      'functions[0] is the service "orphan" without a module: give defineService its import.meta.url, or add modules["orphan"]',
    );
  });

  test("listen together with the host's own server", async () => {
    await expect(startGenApi({ logger: false, server: createServer(), listen: { port: 0 } })).rejects.toThrow(
      "listen must be left out",
    );
  });

  test("options that are no object", async () => {
    for (const options of [null, 5, "x", []]) {
      await expect(startGenApi(options as never)).rejects.toMatchObject({ code: "invalid_option" });
    }
  });
});

describe("a gateway that cannot start names the reason and leaves nothing running:", () => {
  test.each<[string, string, (port: number) => GatewayOptions]>([
    ["clients", "listen", (port) => ({ listen: { port } })],
    ["operators", "admin.listen", (port) => ({ admin: { listen: { port }, token: "a-token-for-operators" } })],
    ["service nodes", "cluster.listen", (port) => ({ cluster: link({ listen: { port } }) })],
  ])("a port for %s that is in use, in one line of the log", async (by, option, optionsAt) => {
    await using other = await openServer();
    const { port } = other.address() as AddressInfo;
    const lines: (object & { readonly reason?: string })[] = [];
    const write = (record: object) => void lines.push(record);
    const logger = { debug: () => undefined, info: () => undefined, warn: write, error: write };
    const error = await startGenApi({ name: "g", ...optionsAt(port), logger }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "listen_failed", cause: { code: "EADDRINUSE" } });
    expect(error.message).toBe(
      `Cannot listen for ${by} on 127.0.0.1 port ${port}: it is in use already (EADDRINUSE); end what uses it, or change the option ${option}`,
    );
    const system_time = expect.any(Number);
    const event = "program.start.exception";
    expect(lines).toEqual([{ event, system_time, program: "g", error_code: "listen_failed", reason: error.message }]);
  });

  test.each(["worker", "main"] as const)("a module that cannot be imported (on the %s)", async (runOn) => {
    const modules = { gone: broken("gone.js") };
    const starting = startGenApi({ logger: false, modules, functions: [functionIn("gone", "f", { runOn })] });
    await expect(starting).rejects.toMatchObject({
      code: "module_unreadable",
      message: expect.stringContaining("fixtures/gone.js"),
    });
  });

  test.each(["worker", "main"] as const)("a module without the function (on the %s)", async (runOn) => {
    const modules = { m: broken("main-functions.js") };
    const starting = startGenApi({ logger: false, modules, functions: [functionIn("m", "nope", { runOn })] });
    await expect(starting).rejects.toMatchObject({
      code: "function_missing",
      message: expect.stringMatching(/main-functions\.js.*"nope".*"echo"/),
    });
  });

  test("a module that ends its thread when it is imported", async () => {
    const modules = { m: broken("exits-at-import.js") };
    await expect(startGenApi({ logger: false, modules, functions: [functionIn("m")] })).rejects.toMatchObject({
      code: "module_unreadable",
      message: expect.stringContaining("fixtures/exits-at-import.js"),
    });
  });

  test("every function that is missing, not only the first", async () => {
    const modules = { m: broken("main-functions.js") };
    const functions = [functionIn("m", "nope"), functionIn("m", "neither", { requestType: "u" })];
    await expect(startGenApi({ logger: false, modules, functions })).rejects.toMatchObject({
      code: "function_missing",
      message: expect.stringMatching(/"nope".*"neither"/),
    });
  });

  test("a function of a module that is not in the list", async () => {
    const modules = { m: broken("main-functions.js") };
    await expect(startGenApi({ logger: false, modules, functions: [functionIn("other")] })).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining(`mfa.module must be one of the gateway's modules ("m"), got "other"`),
    });
    const narrowed = { modules, mfaAllowlist: ["m.later"], functions: [functionIn("m", "echo")] };
    await expect(startGenApi(narrowed)).rejects.toThrow("mfa m.echo is not in mfaAllowlist");
    await using gateway = await startGenApi({ logger: false, ...narrowed, functions: [functionIn("m", "later")] });
    expect(gateway.configCache.count).toBe(1);
  });
});

describe("on the host's own server", () => {
  test("the gateway takes its own path, leaves other upgrades and requests alone, and does not close the server", async () => {
    const server = createServer((_request, response) => response.end("the host's own"));
    server.on("upgrade", (request, socket) => {
      if (request.url === "/other") socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const gateway = await startTestGateway({ listen: false, server });

    const client = await connectClient(urlOf(gateway));
    expect((await client.request("add", { a: 1, b: 2 })).response.result).toBe(3);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("the host's own");
    const other = new WebSocket(`ws://127.0.0.1:${port}/other`);
    expect(await new Promise((resolve) => other.on("error", resolve))).toMatchObject({
      message: expect.stringContaining("418"),
    });

    await client.close();
    await gateway.stop();
    expect(server.listening).toBe(true);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("the host's own");
    await new Promise((resolve) => server.close(resolve));
  });

  test("the gateway's address is wss:// where that server speaks TLS, and a client connects to it as it is", async () => {
    const authority = createAuthority();
    const server = createTlsServer(authority.issue("gateway", "127.0.0.1"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await using gateway = await startTestGateway({ listen: false, server });

    expect(gateway.address).toEqual({ host: "127.0.0.1", port, url: `wss://127.0.0.1:${port}/socket` });
    const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`, { ca: authority.cert });
    expect(await client.join("api:lobby")).toMatchObject({ status: "ok" });

    await client.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("functions at run time", () => {
  const modules = { m: broken("main-functions.js") };
  const echo = functionIn("m", "echo", { argTypes: { msg: "string" } });

  test("are added, replaced, disabled, enabled and deleted with no restart", async () => {
    await using gateway = await startGenApi({ logger: false, modules });
    const say = async (version?: string) => {
      const { success, result, error_code } = await gateway.request({
        service: "s",
        requestType: "t",
        args: { msg: "hi" },
        ...(version && { version }),
      });
      return success ? result : error_code;
    };
    const { configCache } = gateway;
    expect(await say()).toBe("not_found");
    await configCache.add(echo);
    expect(await say()).toBe("hi");
    await configCache.batchAdd([
      { ...echo, version: "1.0.0", mfa: "m.nothing" },
      { ...echo, version: "2.0.0" },
    ]);
    expect([await say(), await say("1.0.0")]).toEqual(["hi", null]);
    expect(await configCache.disable("s", "t", "2.0.0")).toBe(true);
    expect([await say(), await say("2.0.0")]).toEqual([null, "disabled"]);
    expect(configCache.get("s", "t", "2.0.0")).toBe("disabled");
    expect(await configCache.enable("s", "t", "2.0.0")).toBe(true);
    expect(configCache.getLatest("s", "t")).toMatchObject({ version: "2.0.0" });
    await configCache.update({ ...echo, version: "2.0.0", timeout: 300 });
    expect(configCache.get("s", "t", "2.0.0")).toMatchObject({ timeout: 300 });
    await expect(configCache.update({ ...echo, version: "3.0.0" })).rejects.toMatchObject({ code: "not_found" });
    expect([configCache.count, configCache.getAllServices()]).toEqual([3, ["s"]]);
    expect(await configCache.delete("s", "t", "2.0.0")).toBe(true);
    expect(await configCache.delete("s", "t", "2.0.0")).toBe(false);
    await configCache.clear();
    expect([await say(), configCache.count, configCache.getAllServices()]).toEqual(["not_found", 0, []]);
  });

  test("of which one has a fault are none of them added", async () => {
    await using gateway = await startGenApi({ logger: false, modules });
    const batch = gateway.configCache.batchAdd([echo, { ...echo, version: "x" }]);
    await expect(batch).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining("version must be"),
    });
    expect(gateway.configCache.count).toBe(0);
  });
});
