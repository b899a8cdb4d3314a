import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { stripVTControlCharacters } from "node:util";
import type { Gateway, GatewayOptions } from "gen-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, adminToken } from "../support/admin.ts";
import { keep, startGateway, startNode } from "../support/cluster.ts";
import { startTestGateway } from "../support/gateway.ts";
import { recordEvents } from "../support/record-events.ts";
import { VersionedModule } from "../support/versioned-module.ts";

const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** All a command is given of the tests' own environment: `CI`, `FORCE_COLOR` and their like would change its colours. */
const inherited = { PATH: process.env.PATH };

/** Runs `gen-api` as a process of its own. */
async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdout: "pipe" | number = "pipe",
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...inherited, ...env },
    stdio: ["ignore", stdout, "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout?.on("data", (data) => (out += data));
  child.stderr?.on("data", (data) => (err += data));
  const [code] = await once(child, "close");
  return { code, out, err };
}

/** What a user of this gateway has in the environment. */
function envOf(gateway: Gateway): Record<string, string> {
  const address = adminOf(gateway);
  const listen = "socketPath" in address ? `unix:${address.socketPath}` : `127.0.0.1:${address.port}`;
  return { GEN_API_ADMIN: listen, GEN_API_ADMIN_TOKEN: adminToken };
}

const options: GatewayOptions = {
  admin: { listen: "127.0.0.1:0", token: adminToken },
  adminActions: ["call"],
  workerPool: { threads: 1 },
  rateLimiter: { globalLimits: [{ key: "userId", maxRequests: 2, windowMs: 60_000 }] },
};

describe("against a running gateway", () => {
  let gateway: Gateway;
  const ask = (...args: string[]) => run(args, envOf(gateway));
  beforeAll(async () => {
    gateway = await startTestGateway(options);
  });
  afterAll(() => gateway.stop());

  test("tree draws the supervision tree, its columns aligned and without colours in a pipe", async () => {
    const { code, out } = await ask("tree");
    expect(code).toBe(0);
    expect(out).toBe(`ACTOR                STATUS   RESTARTS
gen_api              running
├── rate_limiter     running
├── node_selector    running
├── config_cache     running
├── worker_pools     running
│   ├── async_pool   running
│   └── stream_pool  running
├── streams          running
├── connections      running
├── admin            running
└── listener         running
`);
  });

  test("--json prints what the runtime itself returns", async () => {
    expect(JSON.parse((await ask("tree", "--json")).out)).toEqual(gateway.tree());
    expect(JSON.parse((await ask("--json", "flow", "test", "add")).out)).toEqual(
      gateway.diagnostics.flow("test", "add"),
    );
    expect(JSON.parse((await ask("flows", "--json")).out)).toEqual(gateway.diagnostics.flows());
    expect(JSON.parse((await ask("cache", "--json")).out)).toEqual(gateway.diagnostics.functions());
    expect(JSON.parse((await ask("nodes", "--json")).out)).toEqual(gateway.diagnostics.cluster());
    expect(JSON.parse((await ask("top", "--json")).out)).toMatchObject({ health: { status: "ok" } });
  });

  test("describe prints the document that it is asked for, for everybody or as whom it is told", async () => {
    expect(JSON.parse((await ask("describe")).out)).toEqual(gateway.describe());
    const anonymous = await ask("describe", "--anonymous", "--service", "test");
    expect(JSON.parse(anonymous.out)).toEqual(gateway.describe({}));
    const user = await ask("describe", "--user", "7", "--role", "a", "--claims", '{"tenant":"t"}');
    expect(JSON.parse(user.out)).toEqual(gateway.describe({ userId: "7", userRoles: ["a"], claims: { tenant: "t" } }));
    expect(user.out).not.toBe(anonymous.out);
    expect(JSON.parse((await ask("describe", "--service", "nothing")).out).services).toEqual([]);
    const openapi = await ask("describe", "--format", "openapi", "--url", "wss://example.com/x");
    expect(JSON.parse(openapi.out)).toMatchObject({ openapi: "3.1.0", servers: [{ url: "https://example.com" }] });
    expect(JSON.parse((await ask("describe", "--format", "asyncapi")).out)).toMatchObject({ asyncapi: "3.0.0" });
    const typescript = await ask("describe", "--format", "typescript");
    expect(typescript).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/^\/\/ .*\n\n.*interface Api \{\n/s),
    });
    expect(await ask("describe", "--url", "example.com")).toEqual({
      code: 2,
      out: "",
      err: 'gen-api: Invalid request: url must be an address like wss://example.com, got "example.com"\n',
    });
  });

  test("flow tells the stages, and fails for a function that is not there", async () => {
    const { out } = await ask("flow", "test", "add");
    expect(out).toContain("permission   everybody\n");
    expect(out).toContain("execution    sync test.add, at most 5 s\n");
    expect(await ask("flow", "test", "nothing")).toEqual({
      code: 1,
      out: "",
      err: "gen-api: There is no function test.nothing\n",
    });
  });

  test("call calls, as whom it is told, and fails as the call does", async () => {
    expect(await ask("call", "test", "add", '{"a":1,"b":2}')).toEqual({ code: 0, out: "3\n", err: "" });
    expect(await ask("call", "test", "only_users", "--user", "7")).toMatchObject({ code: 0 });
    expect(await ask("call", "test", "only_users")).toMatchObject({
      code: 1,
      out: "permission_denied: Permission denied\n",
    });
    expect(await ask("call", "test", "fail")).toMatchObject({ code: 1, out: "failed (sold_out): Nothing left\n" });
    const timed = await ask("call", "test", "quiet_forever");
    expect(timed).toMatchObject({ code: 1, out: expect.stringContaining("not_found") });
    const { out } = await ask("call", "test", "slow", '{"ms":60000}', "--timeout", "200", "--json");
    expect(JSON.parse(out)).toMatchObject({ success: false, error_code: "timeout" });
  });

  test("call prints a stream's chunks, one in a line, as they come, and ends as the stream does", async () => {
    expect(await ask("call", "test", "count", '{"to":3}')).toEqual({ code: 0, out: "1\n2\n3\n", err: "" });
    expect(await ask("call", "test", "count", '{"to":0}')).toEqual({ code: 0, out: "", err: "" });
    const late = await ask("call", "test", "quiet", "--timeout", "200");
    expect(late).toEqual({ code: 1, out: '"hello"\ntimeout: Request timed out after 200 ms\n', err: "" });
    expect(await ask("call", "test", "count")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^invalid_argument: .*\n$/),
    });
    const { out } = await ask("call", "test", "count", '{"to":2}', "--json");
    const responses = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(responses).toMatchObject([
      { success: true, result: 1, has_more: true },
      { success: true, result: 2, has_more: true },
      { success: true, result: null, has_more: false },
    ]);
  });

  test.each(["Ctrl+C", "a closed pipe"])("%s cancels a stream at the gateway", async (how) => {
    using events = recordEvents("executor.request.stop");
    const endless = ["call", "test", "count", '{"to":1e15}'];
    const child = spawn(process.execPath, [main, ...(how === "Ctrl+C" ? ["call", "test", "quiet"] : endless)], {
      env: { ...inherited, ...envOf(gateway) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    await once(child.stdout, "data");
    if (how === "Ctrl+C") child.kill("SIGINT");
    else child.stdout.destroy();
    expect(await ended).toEqual(how === "Ctrl+C" ? [null, "SIGINT"] : [0, null]);
    await expect
      .poll(() => gateway.diagnostics.statistics())
      .toMatchObject({ streams: { open: 0 }, requests: { inFlight: 0 } });
    expect(events.messages.map(({ metadata }) => metadata)).toMatchObject([{ error_code: "cancelled" }]);
  });

  test("inspect says what would happen, and its exit code too", async () => {
    const good = await ask("inspect", "test", "add", '{"a":1,"b":2}');
    expect(good).toMatchObject({ code: 0, out: expect.stringMatching(/^would_run\n/) });
    const bad = await ask("inspect", "test", "add", '{"a":1}');
    expect(bad).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^invalid_argument: .*\n(.*\n)*arguments +refuses/),
    });
  });

  test("rl tells what a user has left", async () => {
    await gateway.request({ service: "test", requestType: "add", args: { a: 1, b: 2 }, userId: "8" });
    const { out } = await ask("rl", "8");
    expect(out.split("\n")[2]).toMatch(/^global +1 min +1 +2 +1 +now$/);
  });

  test("cache, pools, health and top print once, in a pipe", async () => {
    expect((await ask("cache")).out).toMatch(/^\d+ functions \(\d+ host, 0 pushed, 0 pulled\), 0 disabled\n/);
    expect((await ask("pools")).out).toMatch(/^async_pool +running +1\/1 +0\/1 000 +0\/10 000 +0$/m);
    expect(await ask("health")).toMatchObject({ code: 0, out: "ok, takes clients\n" });
    const { code, out } = await ask("top");
    expect(code).toBe(0);
    expect(out).toMatch(/^gen_api@127\.0\.0\.1 {2}ok {2}up /);
    expect(out).toMatch(/^requests +\d+\/s, \d+ in all/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
    expect(out).not.toMatch(/\u001b/);
  });

  test("colours are for terminals, unless NO_COLOR is set", async () => {
    const inTerminal = await terminal(["tree"], envOf(gateway));
    expect(inTerminal).toContain("\u001b[32mrunning\u001b[39m");
    const without = await terminal(["tree"], { ...envOf(gateway), NO_COLOR: "1" });
    expect(without).toContain("running");
    expect(without).not.toContain("\u001b[3");
  });

  test.skipIf(!existsSync("/dev/full"))("a full disk is told in one line", async () => {
    const full = openSync("/dev/full", "w");
    const { code, err } = await run(["tree"], envOf(gateway), full);
    closeSync(full);
    expect([code, err]).toEqual([1, expect.stringMatching(/^gen-api: What was .* could not be written: ENOSPC.*\n$/)]);
  });

  test("top lives in a terminal until q, and gives the screen back", async () => {
    const shown = await terminal(["top", "--interval", "100"], envOf(gateway), {
      after: /every 0\.1 s/g,
      times: 3,
      type: "q",
    });
    expect(shown.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
    expect(shown.trimEnd().endsWith("\u001b[?7h\u001b[?25h\u001b[?1049l")).toBe(true);
    expect(stripVTControlCharacters(shown)).toContain("event loop");
  });

  test("top says that a gateway which hangs does not answer, and since when; q works all the same", async () => {
    let asked = 0;
    const hanging = createServer(({ url }, response) => {
      asked++;
      // The first look is answered, the second is not.
      if (asked <= 2)
        response.end(
          JSON.stringify(url === "/api/health" ? gateway.diagnostics.health() : gateway.diagnostics.statistics()),
        );
    }).listen(0, "127.0.0.1");
    await once(hanging, "listening");
    const env = { ...envOf(gateway), GEN_API_ADMIN: `127.0.0.1:${(hanging.address() as AddressInfo).port}` };
    // On a busy machine a second may pass unseen.
    const typing = { after: /The gateway has not answered for (?:[2-9]|\d\d) s/g, times: 1, type: "q" };
    const shown = stripVTControlCharacters(await terminal(["top", "--interval", "100"], env, typing));
    expect(shown).toMatch(/^gen_api@127\.0\.0\.1 {2}ok {2}up /m);
    expect(shown).toMatch(/^gen_api@127\.0\.0\.1 {2}no answer {2}up /m);
    // What it would have said ten seconds later.
    expect(shown).not.toContain("nothing came for 10000 ms");
    expect(asked).toBe(4);
    hanging.close();
  });
});

test("reload reloads a service, says what of it, and fails with what is wrong with its new code", async () => {
  using module = new VersionedModule();
  const fun = { service: "users", requestType: "version", nodes: "local", mfa: "m.version", timeout: 5_000 } as const;
  const of = { modules: { m: module.url }, functions: [fun] };
  const gateway = keep(await startTestGateway({ ...options, ...of, adminActions: ["reload"] }));
  const env = envOf(gateway);
  const version = () => gateway.call({ service: "users", requestType: "version" });
  module.write(1);
  expect(await run(["reload", "users"], env)).toEqual({
    code: 0,
    out: `New calls of users get the new code.\n  module    ${module.url}\n  function  users.version\n`,
    err: "",
  });
  expect(await version()).toBe(1);
  module.writeSource("export const other = 1;");
  expect(await run(["reload", "users"], env)).toEqual({
    code: 1,
    out: "",
    err: expect.stringMatching(/^gen-api: The reload of "users" changed nothing: .* has no function "version"; .*\n$/),
  });
  expect(await version()).toBe(1);
  expect(await run(["reload", "nope"], env)).toMatchObject({ code: 1, err: expect.stringContaining('"users"') });
  module.write(2);
  const { out } = await run(["reload", "users", "--force", "--json"], env);
  expect(JSON.parse(out)).toMatchObject({ service: "users", functions: ["users.version"], oldThreads: 0 });
  expect(await version()).toBe(2);
  // The host may do without.
  const strict = keep(await startTestGateway({ ...options, ...of, adminActions: ["call"] }));
  const refused = await run(["reload", "users"], envOf(strict));
  expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('adminActions lists "reload"')]);
  await strict.reload("users");
});

test("nodes tells which nodes there are, and what they serve", async () => {
  const gateway = await startGateway({ ...options, expectServices: ["s"] });
  const env = envOf(gateway);
  expect(await run(["nodes"], env)).toMatchObject({
    out: "There are no service nodes.\nThe expected service s has not come yet\n",
  });
  expect(await run(["health"], env)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^degraded, takes no clients\n/),
  });
  const modules = { m: new URL("../fixtures/main-functions.js", import.meta.url) };
  const fun = { service: "s", requestType: "t", nodes: "local", mfa: "m.echo", timeout: 500 } as const;
  await startNode([gateway], { name: "n1", service: "s", modules, functions: [fun], configVersion: "1.0.0" });
  await gateway.nodes.servicesReady();
  const { out } = await run(["nodes"], env);
  expect(out.split("\n")[1]).toMatch(/^n1 +up +\S+ m?s +0 +127\.0\.0\.1\S* +s 1\.0\.0$/);
});

test("what others wrote reaches no terminal as a control character", async () => {
  const evil = "\u001b]0;owned\u0007\u009b2J";
  const modules = { m: new URL("../fixtures/main-functions.js", import.meta.url) };
  const fun = { service: evil, requestType: evil, nodes: "local", mfa: "m.echo", timeout: 500 } as const;
  const gateway = keep(await startTestGateway({ ...options, modules, functions: [fun] }));
  for (const args of [
    ["flows"],
    ["cache"],
    ["flow", evil, evil],
    ["flows", "--json"],
    ["call", evil, evil],
    ["rl", evil],
  ]) {
    const { out, err } = await run(args, envOf(gateway));
    expect(out + err).not.toBe("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
    expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
});

describe("it tells people what to do when", () => {
  test("no gateway is there", async () => {
    const env = { GEN_API_ADMIN_TOKEN: adminToken };
    const nobody = await run(["tree", "--admin", "127.0.0.1:1"], env);
    expect(nobody).toMatchObject({
      code: 3,
      out: "",
      err: expect.stringMatching(/^gen-api: No gateway listens at 127\.0\.0\.1:1\. /),
    });
    expect(await run(["tree", "--admin", "unix:/no/such.sock"], env)).toMatchObject({ code: 3 });
  });

  test("something else answers there", async () => {
    const other = createServer((_request, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, err } = await run(["tree"], { GEN_API_ADMIN: `127.0.0.1:${port}`, GEN_API_ADMIN_TOKEN: adminToken });
    expect([code, err]).toEqual([3, `gen-api: The server at 127.0.0.1:${port} is not a gateway's admin listener\n`]);
    other.close();
  });

  test("the token is wrong or missing, and shows it nowhere", async () => {
    const gateway = keep(await startTestGateway(options));
    const wrong = await run(["tree", "--token", "wrong-and-secret"], envOf(gateway));
    expect(wrong).toMatchObject({ code: 4, out: "", err: expect.stringContaining("does not know this token") });
    expect(wrong.err).not.toContain("wrong-and-secret");
    const missing = await run(["tree"], { GEN_API_ADMIN: "127.0.0.1:1" });
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining("set GEN_API_ADMIN_TOKEN") });
    const help = await run(["tree", "--help"], envOf(gateway));
    expect(help.code).toBe(0);
    expect(help.out).not.toContain(adminToken);
  });

  test("calls are not allowed", async () => {
    const gateway = keep(await startTestGateway({ ...options, adminActions: [] }));
    const { code, err } = await run(["call", "test", "add"], envOf(gateway));
    expect([code, err]).toEqual([4, expect.stringContaining('adminActions lists "call"')]);
  });

  test("it is used wrongly", async () => {
    const env = { GEN_API_ADMIN_TOKEN: adminToken };
    for (const args of [
      ["nothing"],
      ["flow"],
      ["call", "a", "b", "{"],
      ["call", "a", "b", "[]"],
      ["tree", "--nope"],
      [],
    ]) {
      const { code, err } = await run(args, env);
      expect([args, code]).toEqual([args, 2]);
      expect(err).not.toBe("");
    }
    expect(await run(["tree", "--admin", "nowhere"], env)).toMatchObject({ code: 2 });
  });
});

/** Runs `gen-api` in a terminal of its own, and types what is to be typed once it has shown something so often. */
async function terminal(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  typing?: { readonly after: RegExp; readonly times: number; readonly type: string },
): Promise<string> {
  const command = [process.execPath, main, ...args];
  // util-linux and BSD disagree on how `script` is told what to run.
  const scripted =
    process.platform === "darwin" ? ["-q", "/dev/null", ...command] : ["-qfec", command.join(" "), "/dev/null"];
  const child = spawn("script", scripted, { env: { ...inherited, TERM: "xterm-256color", ...env } });
  let shown = "";
  let waiting = typing;
  child.stdout.on("data", (data) => {
    shown += data;
    if (waiting === undefined || (shown.match(waiting.after)?.length ?? 0) < waiting.times) return;
    child.stdin.write(waiting.type);
    waiting = undefined;
  });
  await once(child, "close");
  return shown;
}
