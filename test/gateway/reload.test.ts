import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { FunConfigInput, Gateway, GatewayOptions, Response } from "gen-api";
import { expect, test } from "vitest";
import { keep, nextEvent } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { collectGarbage } from "../support/heap.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";
import { until } from "../support/until.ts";
import { Gate, LivingThreads, VersionedModule } from "../support/versioned-module.ts";

const gated = { service: "users", requestType: "gated", nodes: "local", timeout: 60_000, mfa: "m.gated" } as const;
const shared = { service: "users", nodes: "local", timeout: 5_000 } as const;
const functions: FunConfigInput[] = [
  { ...shared, requestType: "version", mfa: "m.version" },
  { ...shared, requestType: "later", mfa: "m.later" },
  { ...shared, requestType: "thread", mfa: "m.thread" },
  { ...shared, requestType: "on_main", mfa: "m.version", runOn: "main" },
  { ...shared, requestType: "versions", mfa: "m.versions", responseType: "stream", timeout: "infinity" },
];

async function start(module: VersionedModule, options: GatewayOptions = {}): Promise<Gateway> {
  return keep(await startTestGateway({ modules: { m: module.url }, functions, ...options }));
}

const ask = <Result = unknown>(gateway: Gateway, requestType: string, service = "users") =>
  gateway.call<Result>({ service, requestType });

/** A stream of the gateway's that has begun. */
async function openStream(gateway: Gateway) {
  const stream = gateway.stream<number>({ service: "users", requestType: "versions" });
  const next = async () => (await stream.next()).value;
  return { version: await next(), next, end: () => stream.return() };
}

/** Waits until both threads have imported the module: what is written to it afterwards reaches only fresh ones. */
async function imported(gateway: Gateway, service = "users"): Promise<void> {
  await until(async () => {
    const threads = await Promise.all(Array.from({ length: 30 }, () => ask(gateway, "thread", service)));
    return new Set(threads).size === 2;
  });
}

const oldThreads = (gateway: Gateway) => gateway.diagnostics.pools().reduce((sum, pool) => sum + pool.oldThreads, 0);

test("no call fails while a module is reloaded twenty times, once with code that cannot be imported", async () => {
  using module = new VersionedModule();
  using threads = new LivingThreads();
  const gateway = await start(module);
  await until(() => threads.count === 4);
  const clients = await Promise.all([1, 2, 3].map(() => connectClient(urlOf(gateway))));
  const failed: unknown[] = [];
  const seen = new Set<unknown>();
  let calls = 0;
  let isOver = false;
  const calling = clients.flatMap((client) =>
    ["version", "version", "later", "on_main"].map(async (requestType) => {
      while (!isOver) {
        const { response } = await client.request(requestType, {}, { service: "users" });
        calls++;
        if (response.success) seen.add(response.result);
        else failed.push(response);
      }
    }),
  );
  let heapBefore = 0;
  let rssBefore = 0;
  const memory = async () => {
    await until(() => threads.count === 4);
    collectGarbage();
    return process.memoryUsage();
  };
  for (let version = 1; version <= 20; version++) {
    const callsBefore = calls;
    if (version === 10) {
      module.writeSource("export const version = ;");
      await expect(gateway.reload("users")).rejects.toMatchObject({ code: "module_unreadable" });
      expect([await ask(gateway, "version"), await ask(gateway, "on_main")]).toEqual([9, 9]);
    } else {
      module.write(version);
      await gateway.reload("users");
      expect([await ask(gateway, "version"), await ask(gateway, "on_main")]).toEqual([version, version]);
    }
    // Clients called all the time.
    await until(() => calls > callsBefore + 20);
    if (version === 5) ({ heapUsed: heapBefore, rss: rssBefore } = await memory());
  }
  const { heapUsed, rss } = await memory();
  isOver = true;
  await Promise.all(calling);
  expect(failed).toEqual([]);
  expect(seen.size).toBe(20);
  await until(() => threads.count === 4);
  expect(oldThreads(gateway)).toBe(0);
  expect(gateway.diagnostics.statistics().reloads).toEqual({ succeeded: 19, failed: 1 });
  // Calls go on meanwhile, and have their part in it: up to 92 MB on Node 24. Each of 15 reloads ends four threads, which
  // would take 6 MB each.
  expect(heapUsed - heapBefore).toBeLessThan(10_000_000);
  expect(rss - rssBefore).toBeLessThan(180_000_000);
  await Promise.all(clients.map((client) => client.close()));
});

test("reloads take no memory but that of the modules on the main thread, which Node keeps", async () => {
  using module = new VersionedModule();
  using threads = new LivingThreads();
  const gateway = await start(module);
  const heap: number[] = [];
  for (let version = 1; version <= 20; version++) {
    module.write(version);
    await gateway.reload("users");
    await until(() => threads.count === 4);
    collectGarbage();
    heap.push(process.memoryUsage().heapUsed);
  }
  const growth = (heap[19] as number) - (heap[9] as number);
  expect(growth / 10).toBeLessThan(40_000);
});

test("a call and a stream that run end with the code they began with, and with them their threads", async () => {
  using module = new VersionedModule();
  using threads = new LivingThreads();
  const gate = new Gate();
  const gateway = await start(module, { functions: [...functions, gated] });
  const stream = await openStream(gateway);
  const running = ask(gateway, "gated");
  await until(() => gateway.diagnostics.pools().every(({ inFlight }) => inFlight === 1));
  module.write(1);
  const reloaded = await gateway.reload("users");
  expect(reloaded).toEqual({
    service: "users",
    modules: [module.url],
    functions: [...functions, gated].map(({ requestType }) => `users.${requestType}`),
    oldThreads: 2,
  });
  gate.open();
  expect(await running).toBe(0);
  await until(() => oldThreads(gateway) === 1);
  const newer = await openStream(gateway);
  expect([stream.version, await stream.next(), newer.version, await ask(gateway, "gated")]).toEqual([0, 0, 1, 1]);
  await until(() => threads.count === 5);
  await stream.end();
  await until(() => threads.count === 4);
  expect(oldThreads(gateway)).toBe(0);
  expect(await newer.next()).toBe(1);
  await newer.end();
});

test("a missing function, or one of another kind, changes nothing and is named with its module", async () => {
  using module = new VersionedModule();
  using events = recordEvents("reload.start", "reload.stop", "reload.exception", "worker_pool.thread.exit");
  const gateway = await start(module);
  await imported(gateway);
  module.writeSource("export function* version() {}; export const thread = 1;");
  const error = await gateway.reload("users").catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: "invalid_config" });
  expect(String(error)).toBe(
    `GenApiError: The reload of "users" changed nothing: ` +
      `users.version: mfa (m.version): is a generator, whose responseType must be "stream", got "sync"; ` +
      `users.later: mfa (m.later): The module ${module.url} has no function "later"; it exports "thread", "version"; ` +
      `users.thread: mfa (m.thread): The module ${module.url} has no function "thread"; it exports "thread", "version"; ` +
      `users.versions: mfa (m.versions): The module ${module.url} has no function "versions"; it exports "thread", "version"`,
  );
  module.writeSource("throw new Error('not today')");
  await expect(gateway.reload("users")).rejects.toThrow(
    `users.version: mfa (m.version): The module ${module.url} cannot be imported: not today`,
  );
  module.writeSource("import { isMainThread } from 'node:worker_threads'; if (!isMainThread) process.exit(1);");
  await expect(gateway.reload("users")).rejects.toThrow(
    `The module ${module.url} ended its thread when it was imported`,
  );
  expect([await ask(gateway, "version"), await ask(gateway, "on_main")]).toEqual([0, 0]);
  module.write(1);
  await gateway.reload("users");
  expect([await ask(gateway, "version"), await ask(gateway, "on_main")]).toEqual([1, 1]);
  expect(gateway.diagnostics.statistics().reloads).toEqual({ succeeded: 1, failed: 3 });
  const identity = { program: gateway.name, service: "users" };
  const failedOnce = [
    { event: "reload.start", metadata: identity },
    { event: "reload.exception", metadata: { ...identity, error: expect.any(Error) } },
  ];
  expect(events.messages).toMatchObject([
    ...failedOnce,
    ...failedOnce,
    ...failedOnce,
    { event: "reload.start" },
    { event: "reload.stop", measurements: { count: 5, old_threads: 0 }, metadata: identity },
  ]);
});

test("at most three earlier versions run; then a reload is refused, unless it may end what runs the earliest", async () => {
  using module = new VersionedModule();
  using threads = new LivingThreads();
  const gateway = await start(module, { workerPool: { threads: 1 } });
  const streams = [await openStream(gateway)];
  for (let version = 1; version <= 3; version++) {
    module.write(version);
    await gateway.reload("users");
    streams.push(await openStream(gateway));
  }
  expect(streams.map(({ version }) => version)).toEqual([0, 1, 2, 3]);
  module.write(4);
  await expect(gateway.reload("users")).rejects.toMatchObject({
    code: "unavailable",
    canRetry: true,
    message: expect.stringContaining("stream_pool: 3 threads of 3 earlier versions of the code still run"),
  });
  expect(await ask(gateway, "version")).toBe(3);
  await gateway.reload("users", { force: true });
  expect(await ask(gateway, "version")).toBe(4);
  const toItsEnd = async () => {
    while ((await streams[0]?.next()) !== undefined);
  };
  await expect(toItsEnd()).rejects.toMatchObject({ code: "unavailable" });
  expect(await Promise.all(streams.slice(1).map((stream) => stream.next()))).toEqual([1, 2, 3]);
  await until(() => threads.count === 5);
  await streams[1]?.end();
  await until(() => threads.count === 4);
  module.write(5);
  await gateway.reload("users");
  expect((await openStream(gateway)).version).toBe(5);
});

test("streams of another service stay on their threads", async () => {
  using module = new VersionedModule();
  using other = new VersionedModule();
  using threads = new LivingThreads();
  const gateway = await start(module, {
    modules: { m: module.url, other: other.url },
    functions: [
      { ...shared, service: "other", requestType: "version", mfa: "other.version" },
      ...functions.filter(({ responseType }) => responseType === "stream"),
    ],
  });
  const stream = await openStream(gateway);
  for (let version = 1; version <= 5; version++) {
    other.write(version);
    await gateway.reload("other");
    expect(await ask(gateway, "version", "other")).toBe(version);
  }
  expect(oldThreads(gateway)).toBe(0);
  expect(await stream.next()).toBe(0);
  await until(() => threads.count === 4);
});

test("another service's code that threads would import, and cannot, refuses the reload", async () => {
  using module = new VersionedModule();
  using other = new VersionedModule();
  const gateway = await start(module, {
    modules: { m: module.url, other: other.url },
    functions: [
      ...functions,
      { ...shared, service: "other", requestType: "version", mfa: "other.version" },
      { ...shared, service: "other", requestType: "thread", mfa: "other.thread" },
    ],
  });
  await imported(gateway);
  await imported(gateway, "other");
  module.write(1);
  other.writeSource("export const nothing = 0;");
  await expect(gateway.reload("users")).rejects.toThrow(
    `other.version: mfa (other.version): The module ${other.url} has no function "version"`,
  );
  expect([await ask(gateway, "version"), await ask(gateway, "version", "other")]).toEqual([0, 0]);
  other.write(7);
  const { functions: reloaded } = await gateway.reload("users");
  expect(reloaded).not.toContain("other.version");
  // It is the same threads that run it.
  expect([await ask(gateway, "version"), await ask(gateway, "version", "other")]).toEqual([1, 7]);
});

test("a new version's functions are called at once, though the circuits of the old one are open", async () => {
  using module = new VersionedModule();
  using events = recordEvents("worker_pool.circuit_breaker.close");
  const gate = new Gate();
  const workerPool = { threads: 1, circuitBreakerThreshold: 3 };
  const gateway = await start(module, { functions: [...functions, gated], workerPool });
  module.writeSource(`export const version = () => { throw new Error("broken"); };
    import { getEnvironmentData } from "node:worker_threads";
    export const gated = () => Atomics.waitAsync(getEnvironmentData("gate"), 0, 0).value.then(version);
    export const later = version;
    export const thread = () => 0; export async function* versions() {}`);
  await gateway.reload("users");
  const failures = async () => {
    const codes = await Promise.all(
      [1, 2, 3, 4].map(() => ask(gateway, "version").catch(({ code }: { code: string }) => code)),
    );
    return codes;
  };
  expect(await failures()).toEqual(["internal", "internal", "internal", "internal"]);
  expect(await failures()).toEqual(["unavailable", "unavailable", "unavailable", "unavailable"]);
  // Of old code: what its running calls still do says nothing about the new one.
  const late = [1, 2, 3].map(() => ask(gateway, "gated").catch(({ code }: { code: string }) => code));
  await until(() => gateway.diagnostics.pools()[0]?.inFlight === 3);
  module.write(2);
  await gateway.reload("users");
  expect(events.messages).toMatchObject([{ metadata: { request_type: "version" } }]);
  expect(await ask(gateway, "version")).toBe(2);
  gate.open();
  expect(await Promise.all(late)).toEqual(["internal", "internal", "internal"]);
  expect(await ask(gateway, "gated")).toBe(2);
  expect(gateway.diagnostics.pools().flatMap(({ openCircuits }) => openCircuits)).toEqual([]);
});

test("hooks and permission callbacks are reloaded with their service, and stay so when it is registered again", async () => {
  using module = new VersionedModule();
  const hooked = {
    ...shared,
    requestType: "hooked",
    mfa: "m.echo",
    argTypes: { by: "string" },
    beforeExecute: "m.hook",
  } as const;
  const gateway = await start(module, { functions: [hooked] });
  const args = { by: "client" };
  const call = () => gateway.call({ service: "users", requestType: "hooked", args });
  expect(await call()).toBe("hook 0");
  module.write(1);
  await gateway.reload("users");
  expect(await call()).toBe("hook 1");
  await gateway.configCache.update({ ...hooked, timeout: 1_000 });
  expect(await call()).toBe("hook 1");
  module.write(2);
  await gateway.reload("users");
  expect(await call()).toBe("hook 2");
});

test("CommonJS on the main thread is reloaded too, and the host's own require finds what it knew", () => {
  const fixture = new URL("../fixtures/reload-commonjs.js", import.meta.url).pathname;
  const printed = execFileSync(process.execPath, [fixture], { encoding: "utf8", timeout: 100_000 });
  expect(JSON.parse(printed)).toEqual([
    ["started", 0, 0, true],
    ["reloaded", 1, 1, true],
    ["module_unreadable", 1, 1, true],
  ]);
});

test("a service that is not there, or not here, is refused with what can be reloaded", async () => {
  using module = new VersionedModule();
  const remote = { ...shared, service: "orders", requestType: "price", nodes: ["n1", "n2"], mfa: "x.price" } as const;
  const hooked = { ...remote, service: "carts", beforeExecute: "m.hook" } as const;
  const gateway = await start(module, { functions: [...functions, remote, hooked] });
  await expect(gateway.reload("nope")).rejects.toMatchObject({
    code: "not_found",
    message: `The gateway ${gateway.name} has no service "nope"; this gateway can reload "users", "carts"`,
  });
  await expect(gateway.reload("orders")).rejects.toMatchObject({
    code: "invalid_option",
    message:
      'The functions of "orders" run on the service nodes "n1", "n2": call node.reload("orders") there; ' +
      'this gateway can reload "users", "carts"',
  });
  // Of this one, the gateway runs a hook.
  expect(await gateway.reload("carts")).toMatchObject({ functions: expect.arrayContaining(["carts.price"]) });
  await expect(gateway.reload(5 as never)).rejects.toMatchObject({ code: "invalid_option" });
  await expect(gateway.reload("users", { force: 1 as never })).rejects.toMatchObject({ code: "invalid_option" });
  await expect(gateway.reload("users", { forced: true } as never)).rejects.toMatchObject({
    code: "invalid_option",
    message: 'reload: has unknown keys: "forced" (allowed: "force")',
  });
});

test("reloads come one after another, and those of one service that wait are one", async () => {
  using module = new VersionedModule();
  using other = new VersionedModule();
  using events = recordEvents("reload.start", "reload.stop");
  const gateway = await start(module, {
    modules: { m: module.url, other: other.url },
    functions: [...functions, { ...shared, service: "other", requestType: "version", mfa: "other.version" }],
  });
  const first = gateway.reload("users");
  await nextEvent("reload.start");
  const second = gateway.reload("users");
  const third = gateway.reload("users");
  const fourth = gateway.reload("other");
  module.write(1);
  await Promise.all([first, second, third, fourth]);
  expect(await ask(gateway, "version")).toBe(1);
  expect(events.messages.map(({ event, metadata }) => [event, (metadata as { service: string }).service])).toEqual([
    ["reload.start", "users"],
    ["reload.stop", "users"],
    ["reload.start", "users"],
    ["reload.stop", "users"],
    ["reload.start", "other"],
    ["reload.stop", "other"],
  ]);
});

test("a function that is registered meanwhile is verified too, and runs the new code", async () => {
  using module = new VersionedModule();
  const gateway = await start(module);
  await imported(gateway);
  // It tells this process that functions are being verified.
  const slow = `process.emit("importing"); await new Promise((resolve) => setTimeout(resolve, 300));`;
  module.writeSource(`${slow}
    export const version = () => 1; export const later = version; export const thread = version;
    export async function* versions() {}`);
  const isVerifying = once(process, "importing");
  const withoutEcho = expect(gateway.reload("users")).rejects.toThrow("users.echo: mfa (m.echo): The module");
  await isVerifying;
  await gateway.configCache.add({ ...shared, requestType: "echo", mfa: "m.echo" });
  await withoutEcho;
  expect(await ask(gateway, "version")).toBe(0);
  module.write(1, slow);
  const reloaded = gateway.reload("users");
  await nextEvent("reload.start");
  await gateway.configCache.add({ ...shared, requestType: "added", mfa: "m.version" });
  expect(await ask(gateway, "added")).toBe(0);
  expect((await reloaded).functions).toContain("users.added");
  expect(await ask(gateway, "added")).toBe(1);
});

test("a reload that a stop overtakes is refused as stopped, leaves no thread, and none begins afterwards", async () => {
  using module = new VersionedModule();
  using threads = new LivingThreads();
  const gateway = await start(module);
  module.write(1, "await new Promise(() => setInterval(() => undefined, 1_000));");
  const [first, second] = [gateway.reload("users"), gateway.reload("users")].map((reload) =>
    expect(reload).rejects.toMatchObject({ code: "stopped" }),
  );
  await nextEvent("reload.start");
  await until(() => threads.count === 8);
  await gateway.stop();
  await Promise.all([first, second]);
  expect(threads.count).toBe(0);
  await expect(gateway.reload("users")).rejects.toMatchObject({ code: "stopped" });
});

test("a thread that dies while another version takes over costs no call", async () => {
  using module = new VersionedModule();
  const gateway = await start(module, {
    functions: [...functions, { ...shared, requestType: "exit", mfa: "m.exit" }],
  }).catch(() => null);
  expect(gateway).toBeNull();
  module.write(0, "export const exit = () => process.exit(1);");
  const living = await start(module, { functions: [...functions, { ...shared, requestType: "exit", mfa: "m.exit" }] });
  const reloaded = living.reload("users");
  await nextEvent("reload.start");
  const answers = Array.from({ length: 50 }, () => living.request({ service: "users", requestType: "version" }));
  await living.request({ service: "users", requestType: "exit" });
  await reloaded;
  const responses: Response[] = await Promise.all(answers);
  expect(responses.filter(({ success }) => !success)).toEqual([]);
  expect(await ask(living, "version")).toBe(0);
});
