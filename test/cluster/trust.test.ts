import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { type GatewayOptions, startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import remote from "../fixtures/cluster/service.js";
import { connect, keep, nextEvent, nodeUrlOf, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { createAuthority } from "../support/network/certificates.ts";
import { startRawNode, Wire } from "../support/network/raw-node.ts";
import { Notes } from "../support/notes.ts";
import { NodeProcess } from "../support/processes/node-process.ts";

const secret = "a-secret-of-the-cluster";
const otherSecret = "a-secret-that-is-not-known";
const gatewayFunctions = new URL("../fixtures/cluster/gateway-functions.js", import.meta.url);
const serviceModule = new URL("../fixtures/cluster/service.js", import.meta.url);

const call = { service: "remote", requestType: "echo", args: { value: 1 } };

/** A function of the node's own service, `echo`, as a FunConfig. */
const echo = (more: object) => ({
  requestType: "echo",
  service: "remote",
  nodes: "local" as const,
  timeout: 5_000,
  mfa: { module: "remote", function: "echo" },
  argTypes: { value: "any" as const },
  argOrders: "map" as const,
  ...more,
});

/** What both sides say when the node of this name is not let in. */
async function refusalOf(name: string, start: () => Promise<unknown>) {
  const atGateway = nextEvent("node.refuse", ({ metadata }) => metadata.node === name);
  const atNode = nextEvent("gateway.refuse", ({ metadata }) => metadata.node === name);
  await start();
  const [{ metadata }, told] = await Promise.all([atGateway, atNode]);
  const { code, message } = told.metadata.error as Error & { code?: string };
  return { node: metadata.node, reason: metadata.reason, code, message };
}

/** Passes on what nodes and a gateway say, and keeps it, with what the nodes asked for at first. @returns its URL */
async function listenIn(gateway: string, said: string[]): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (near, { url, rawHeaders }) => {
    said.push(`${url} ${rawHeaders.join(" ")}`);
    const far = new WebSocket(gateway, "gen-api.node.1");
    // Either may be gone before the two have met.
    for (const end of [near, far]) end.on("error", () => end.terminate());
    const isOpen = new Promise((resolve) => far.once("open", resolve));
    near.on("message", async (data) => {
      said.push(String(data));
      await isOpen;
      far.send(data as Buffer, { binary: true });
    });
    far.on("message", (data) => {
      said.push(String(data));
      near.send(data as Buffer, { binary: true });
    });
    near.on("close", () => far.close());
    far.on("close", () => near.close());
  });
  return urlUntilEnd(server);
}

function urlUntilEnd(server: WebSocketServer): string {
  keep({
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/node`;
}

describe("the token", () => {
  test("that is wrong keeps a node out; the gateway goes on as if it had not been there", async () => {
    const gateway = await startGateway({ pushToken: secret, expectServices: ["remote"] });
    const start = () => startNode([gateway], { name: "n", functions: [remote], pushToken: otherSecret });
    expect(await refusalOf("n", start)).toMatchObject({
      node: "n",
      code: "unauthenticated",
      reason: "The node n has no token that this gateway knows",
    });
    expect(gateway.nodes.list()).toEqual([]);
    expect(gateway.nodes.missingServices).toEqual(["remote"]);
    expect((await gateway.request(call)).error_code).toBe("unavailable");
  });

  test("must be there where the gateway has one", async () => {
    const gateway = await startGateway({ pushToken: secret });
    const start = () => startNode([gateway], { name: "n", functions: [remote] });
    expect((await refusalOf("n", start)).code).toBe("unauthenticated");
    expect(gateway.nodes.list()).toEqual([]);
  });

  test("is worth nothing where the gateway has none", async () => {
    const gateway = await startGateway();
    const start = () => startNode([gateway], { name: "n", functions: [remote], pushToken: secret });
    expect((await refusalOf("n", start)).code).toBe("unauthenticated");
    expect(gateway.nodes.list()).toEqual([]);
  });

  test("of another service does not let a node serve this one, not even beside its own", async () => {
    const gateway = await startGateway({ pushToken: { remote: secret, other: otherSecret } });
    const start = () => startNode([gateway], { name: "thief", functions: [remote], pushToken: otherSecret });
    expect(await refusalOf("thief", start)).toMatchObject({
      code: "permission_denied",
      reason: 'The token of the node thief does not allow the services "remote"',
    });
    const both = [remote, echo({ service: "other", mfa: "other.echo" })];
    const modules = { other: serviceModule };
    const startBoth = () => startNode([gateway], { name: "n", functions: both, modules, pushToken: secret });
    expect((await refusalOf("n", startBoth)).reason).toBe(
      'The token of the node n does not allow the services "other"',
    );
    const node = await startNode([gateway], { name: "honest", functions: [remote], pushToken: secret });
    await node.connected();
    expect(await gateway.call(call)).toBe(1);
    expect(gateway.nodes.list().map(({ node }) => node)).toEqual(["honest"]);
  });

  test("is changed without a pause: while a gateway lists both, nodes with either are let in; then only the new", async () => {
    const gateway = await startGateway({ name: "g", pushToken: [secret, "the-next-secret"] });
    const old = await startNode([gateway], { name: "old", functions: [remote], pushToken: secret });
    const next = await startNode([gateway], { name: "next", functions: [remote], pushToken: "the-next-secret" });
    await Promise.all([old.connected(), next.connected()]);
    expect(gateway.nodes.list().map(({ state }) => state)).toEqual(["up", "up"]);
    const port = Number(new URL(urlOf(gateway)).port);
    await gateway.stop();
    const refused = nextEvent("node.refuse", ({ metadata }) => metadata.node === "old");
    const again = await startGateway({ name: "g", listen: { port }, pushToken: "the-next-secret" });
    await refused;
    await again.nodes.whenUp("next");
    expect(again.nodes.list().map(({ node }) => node)).toEqual(["next"]);
  });

  test("never travels, and is in no URL, header, telemetry or error", async () => {
    const heard: unknown[] = [];
    const events = (
      "node.up node.down node.refuse node.link.refuse node.link.retry node.transport.error " +
      "gateway.up gateway.down gateway.refuse gateway.push gateway.push.exception " +
      "config.push config.add config.batch_add supervisor.child.start supervisor.child.exit supervisor.child.restart"
    ).split(" ");
    const hear = (message: unknown) => void heard.push(message);
    for (const name of events) subscribe(`gen_api.${name}`, hear);
    const gateway = await startGateway({ pushToken: [secret, "the-next-secret"] });
    const said: string[] = [];
    const url = await listenIn(nodeUrlOf(gateway), said);
    const through = (name: string, pushToken: string) =>
      startServiceNode({
        logger: false,
        name,
        functions: [remote],
        workerPool: { threads: 1 },
        pushToken,
        cluster: link({ gateways: [url] }),
      });
    const refused = nextEvent("gateway.refuse");
    await using wrong = await through("wrong", otherSecret);
    await refused;
    await using right = await through("right", secret);
    await right.connected();
    await right.push({ force: true });
    const trees = [gateway.tree(), right.tree(), wrong.tree(), gateway.nodes.list()];
    await Promise.all([right.stop(), wrong.stop()]);
    for (const name of events) unsubscribe(`gen_api.${name}`, hear);
    // What this test looks at is there, so that what it does not find is not there.
    for (const text of ["/node", "Sec-WebSocket-Key", "hello", "welcome", "refused", "push_end"]) {
      expect(said.join("\n")).toContain(text);
    }
    const everything = `${said.join("\n")}\n${inspect([heard, trees], { depth: 20, maxStringLength: null })}`;
    for (const token of [secret, otherSecret, "the-next-secret"]) expect(everything).not.toContain(token);
    expect(heard.length).toBeGreaterThan(5);
  });

  test.each([
    [1_234_567_890, "pushToken must be a secret, a list of secrets, or a map from services to secrets, got number"],
    [{ remote: 1_234_567_890 }, "pushToken.remote must be a non-empty secret, got number"],
    [[1_234_567_890, ""], "pushToken[0] must be a non-empty secret, got number"],
    [[1_234_567_890, ""], "pushToken[1] must be a non-empty secret, got an empty string"],
    [["1234567890", 5], "pushToken[1] must be a non-empty secret, got number"],
    [{ remote: "1234567890", other: "" }, "pushToken.other must be a non-empty secret, got an empty string"],
    [{ remote: "1234567890", other: undefined }, "pushToken.other must be a non-empty secret, got nothing"],
    [{}, "pushToken must contain at least one secret"],
    [[], "pushToken must contain at least one secret"],
    ["", "pushToken must be a non-empty secret, got an empty string"],
  ])("that cannot be one is told by its path and not shown: %j", async (pushToken, fault) => {
    const options = { pushToken };
    const cluster = link();
    const gateway = startGenApi({ logger: false, cluster, ...(options as unknown as GatewayOptions) });
    const error = await gateway.then(
      () => new Error("it started"),
      (thrown: Error) => thrown,
    );
    expect(error.message).toContain(fault);
    expect(inspect(error)).not.toMatch(/1_?234_?567_?890/);
    const node = startServiceNode({
      logger: false,
      name: "n",
      functions: [remote],
      cluster: link({ gateways: ["ws://127.0.0.1:1/node"] }),
      ...(options as never as { pushToken: string }),
    });
    const nodeError = await node.then(
      () => new Error("it started"),
      (thrown: Error) => thrown,
    );
    expect(nodeError.message).toContain("pushToken must be a non-empty secret");
    expect(inspect(nodeError)).not.toMatch(/1_?234_?567_?890/);
  });
});

describe("a gateway that does not know the token", () => {
  /** Lets every node in, with the proof that `prove` makes of the node's, and then sends it `more`. */
  async function impostor(prove: (nodesProof: string) => string) {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    server.on("connection", (socket) => {
      socket.on("message", (data) => {
        const message = JSON.parse(String(data)) as { type: string; mac: string };
        const answer =
          message.type === "hello"
            ? { type: "challenge", gateway: "impostor", nonce: "x".repeat(32) }
            : { type: "welcome", mac: prove(message.mac), heartbeatMs: 1_000, missed: 3, streamWindow: 32 };
        socket.send(Buffer.from(JSON.stringify(answer)));
      });
    });
    return urlUntilEnd(server);
  }

  test.each([
    ["a made up one", () => "x".repeat(43)],
    ["the node's own", (nodesProof: string) => nodesProof],
    ["an empty one", () => "="],
  ])("is refused by the node, which runs nothing for it; its proof: %s", async (_proof, prove) => {
    const url = await impostor(prove);
    const refused = nextEvent("gateway.refuse");
    const node = keep(
      await startServiceNode({
        logger: false,
        name: "n",
        functions: [remote],
        workerPool: { threads: 1 },
        pushToken: secret,
        cluster: link({ gateways: [url] }),
      }),
    );
    expect((await refused).metadata.error).toMatchObject({
      code: "unauthenticated",
      message: "The gateway impostor has not proven that it knows the token",
    });
    expect(node.gateways).toEqual([]);
  });
});

describe("a node's name", () => {
  test("that another process has is refused; the first is unharmed, and when it goes the second gets in", async () => {
    const gateway = await startGateway();
    const client = await connect(urlOf(gateway));
    const gateways = [nodeUrlOf(gateway)];
    const first = keep(await NodeProcess.start({ name: "twin", gateways }));
    await first.connected();
    const held = client.request("waits_for", { text: "held" });
    await first.noted("held began");
    const refused = nextEvent("node.refuse");
    const second = keep(await NodeProcess.start({ name: "twin", gateways }));
    expect((await refused).metadata).toMatchObject({
      node: "twin",
      reason: "The node twin is connected already, from another process or over another link",
    });
    for (let count = 0; count < 20; count++) {
      expect((await client.request("pid")).response.result).toBe(first.pid);
    }
    first.tell("held");
    expect((await held).response.result).toBe("went");
    await first.kill();
    await second.connected();
    expect((await client.request("pid")).response.result).toBe(second.pid);
  });

  test("is its own process's when that connects again, though the gateway has not noticed that it was gone", async () => {
    // Heartbeats would notice too, but not within this test.
    const gateway = await startGateway({ heartbeat: { intervalMs: 60_000 } });
    await using wire = await Wire.to(Number(new URL(urlOf(gateway)).port));
    const options = { name: "n", functions: [remote], workerPool: { threads: 1 } };
    const node = keep(await startServiceNode({ logger: false, ...options, cluster: link({ gateways: [wire.url] }) }));
    await node.connected();
    using notes = new Notes();
    const lost = gateway.request({ service: "remote", requestType: "holds", args: { text: "lost" } });
    await notes.next("lost began");
    const down = nextEvent("node.down");
    wire.cut();
    expect((await down).metadata).toMatchObject({ node: "n", reason: "the node has connected again" });
    expect((await lost).error_code).toBe("unavailable");
    expect(await gateway.call(call)).toBe(1);
    // Another process is not let in, though the gateway does not know that the node is cut off.
    await using silent = await Wire.to(Number(new URL(urlOf(gateway)).port));
    const cutOff = await startServiceNode({
      logger: false,
      ...options,
      name: "m",
      cluster: link({ gateways: [silent.url] }),
    });
    await cutOff.connected();
    const other = () => startNode([gateway], { ...options, name: "m" });
    expect((await refusalOf("m", other)).reason).toBe(
      "The node m is connected already, from another process or over another link",
    );
    await cutOff.stop();
  });
});

describe("a node that comes under the name of another, for a service of its own token", () => {
  const pushToken = { remote: secret, other: otherSecret };
  const own = { service: "other", requestType: "own", args: { value: 2 } };
  /** With a module of the same name, and functions that would answer. */
  const thief = {
    functions: [echo({ service: "other", requestType: "own" })],
    modules: { remote: serviceModule },
    pushToken: otherSecret,
  };

  test("gets none of the calls that the other had, which is forgotten all the same; its own it gets", async () => {
    const gateway = await startGateway({
      pushToken,
      nodeGraceMs: 3_000,
      functions: [echo({ requestType: "listed", nodes: ["n"] })],
    });
    const options = { name: "n", functions: [echo({})], modules: { remote: serviceModule }, pushToken: secret };
    const honest = await startNode([gateway], options);
    await honest.connected();
    const listed = { ...call, requestType: "listed" };
    expect([await gateway.call(call), await gateway.call(listed)]).toEqual([1, 1]);
    const deleted = nextEvent("config.delete");
    await honest.stop();
    const node = await startNode([gateway], { name: "n", ...thief });
    await node.connected();
    expect(await gateway.call(own)).toBe(2);
    for (const stolen of [call, listed]) expect((await gateway.request(stolen)).error_code).toBe("unavailable");
    expect((await deleted).metadata).toMatchObject({ service: "remote", request_type: "echo" });
    expect((await gateway.request(call)).error_code).toBe("not_found");
    expect((await gateway.request(listed)).error_code).toBe("unavailable");
    expect(await gateway.call(own)).toBe(2);
  });

  test("is not pulled from", async () => {
    const serviceConfigs = [{ service: "remote", nodes: ["n"] }];
    const gateway = await startGateway({ pushToken, serviceConfigs, pullIntervalMs: 50 });
    const node = await startNode([gateway], { name: "n", ...thief });
    await node.connected();
    expect((await nextEvent("config.pull.stop")).metadata).toMatchObject({
      outcome: "failed",
      error: { message: 'The service "remote" could not be pulled: none of its nodes is live (n)' },
    });
    expect((await gateway.request(call)).error_code).toBe("not_found");
  });
});

describe("a pushed FunConfig", () => {
  test("that names local, runOn, or other nodes is refused alone: the node is told, the gateway keeps why", async () => {
    const gateway = await startGateway();
    const node = keep(await startRawNode(nodeUrlOf(gateway), "raw", ["remote"]));
    const config = ({ nodes: _nodes, ...more }: { nodes: "local" }) => more;
    const rightly = config(echo({}));
    const { refused, end } = await node.push("remote", [
      { ...rightly, requestType: "right" },
      { ...rightly, requestType: "local", nodes: "local" },
      { ...rightly, requestType: "main", runOn: "main" },
      { ...rightly, requestType: "worker", runOn: "worker" },
      { ...rightly, requestType: "elsewhere", nodes: ["raw", "other"] },
      { ...rightly, requestType: "own", nodes: ["raw"] },
      { ...rightly, requestType: "foreign", service: "other" },
      { ...rightly, requestType: "broken", timeout: 1 },
      "no config",
    ]);
    const faults = [
      ["local", 'nodes must not be "local": nodes cannot add functions to the gateway\'s own'],
      ["main", "runOn must be left out: the node decides where its functions run"],
      ["worker", "runOn must be left out: the node decides where its functions run"],
      ["elsewhere", 'nodes must be left out or hold only "raw", got "raw", "other"'],
      ["foreign", 'service must be "remote", which is being registered, got "other"'],
      ["broken", 'timeout must be a whole number from 100 to 300000 (milliseconds) or "infinity", got 1'],
      ["unknown", "must be a FunConfig, got string"],
    ];
    expect(refused).toEqual(faults.map(([requestType, fault]) => ({ requestType, version: null, faults: [fault] })));
    expect(end).toMatchObject({ outcome: "accepted", accepted: 2 });
    const { configCache, nodes } = gateway;
    expect(
      configCache
        .getAllFunctions()
        .map((known) => known.requestType)
        .sort(),
    ).toEqual(["own", "right"]);
    expect(nodes.failedConfigs.list()).toMatchObject(
      faults.map(([requestType]) => ({ requestType, service: "remote", node: "raw", via: "push" })),
    );
    expect(nodes.failedConfigs.summary()).toMatchObject({ count: faults.length, services: { remote: faults.length } });
    nodes.failedConfigs.clear();
    expect(nodes.failedConfigs.summary()).toMatchObject({ count: 0, total: 0 });
  });

  test("of a service that the node did not come for, or of another node, is refused with the whole push", async () => {
    const gateway = await startGateway();
    const node = keep(await startRawNode(nodeUrlOf(gateway), "raw", ["remote"]));
    await expect(node.push("other", [])).rejects.toMatchObject({
      code: "permission_denied",
      message: 'The node "raw" may push for its services ("remote"), not "other"',
    });
    await expect(node.ask("verify", { service: "other", configVersion: "1" })).rejects.toMatchObject({
      code: "permission_denied",
    });
    await expect(node.ask("clear", {})).rejects.toMatchObject({ code: "invalid_request" });
    // What one node has begun is nobody else's.
    const begin = { service: "remote", configVersion: "1", count: 1, force: false, pull: null };
    const { push } = (await node.ask("push_begin", begin)) as { push: number };
    const other = keep(await startRawNode(nodeUrlOf(gateway), "other", ["remote"]));
    await expect(other.ask("push_end", { push })).rejects.toMatchObject({ code: "not_found" });
    expect(gateway.configCache.count).toBe(0);
  });

  test("names a hook or resolver of the gateway's only from pushableModules", async () => {
    const modules = { allowed: gatewayFunctions, private: gatewayFunctions };
    const gateway = await startGateway({ modules, pushableModules: ["allowed"] });
    const client = await connect(urlOf(gateway));
    const pushed = nextEvent("gateway.push");
    const node = await startNode([gateway], {
      name: "n",
      modules: { remote: serviceModule },
      functions: [
        echo({ requestType: "plain" }),
        echo({ requestType: "greets", beforeExecute: "allowed.greet" }),
        echo({ requestType: "refuses", beforeExecute: "allowed.refuse" }),
        echo({ requestType: "resolved", nodes: { module: "allowed", function: "named", args: ["n"] } }),
        echo({ requestType: "nowhere", nodes: { module: "allowed", function: "named", args: ["m"] } }),
        echo({ requestType: "peeps", beforeExecute: "private.greet" }),
        echo({ requestType: "peeps_after", afterExecute: { module: "private", function: "greet" } }),
        echo({ requestType: "redirects", nodes: { module: "private", function: "named", args: ["m"] } }),
        echo({ requestType: "missing", beforeExecute: "allowed.not_there" }),
      ],
    });
    await node.connected();
    const { measurements, metadata } = await pushed;
    const rule = 'must name a function of the gateway\'s pushableModules ("allowed"), got "private"';
    expect(measurements).toEqual({ accepted: 5, refused: 4 });
    expect(metadata.faults).toEqual([
      `peeps: beforeExecute ${rule}`,
      `peeps_after: afterExecute ${rule}`,
      `redirects: nodes ${rule}`,
      expect.stringMatching(/^missing: .*not_there/),
    ]);
    const answer = async (type: string) => (await client.request(type, { value: "you" })).response;
    expect(await answer("plain")).toMatchObject({ result: "you" });
    expect(await answer("greets")).toMatchObject({ result: "hello you" });
    expect(await answer("refuses")).toMatchObject({
      error_code: "hook_rejected",
      error: "hook rejected: The gateway says no",
    });
    expect(await answer("resolved")).toMatchObject({ result: "you" });
    expect(await answer("nowhere")).toMatchObject({ error_code: "unavailable" });
    for (const type of ["peeps", "peeps_after", "redirects", "missing"]) {
      expect(await answer(type)).toMatchObject({ error_code: "not_found" });
    }
    const failed = gateway.nodes.failedConfigs.list("remote");
    expect(failed.map(({ requestType }) => requestType)).toEqual(["peeps", "peeps_after", "redirects", "missing"]);
  });

  test("does not replace a function of the host's, which keeps answering; the others of the push are taken", async () => {
    const own = echo({ requestType: "node", mfa: "own.named", argTypes: {}, argOrders: [] });
    const gateway = await startGateway({ modules: { own: gatewayFunctions }, functions: [own] });
    const client = await connect(urlOf(gateway));
    const node = await startNode([gateway], { name: "n", functions: [remote] });
    await node.connected();
    expect((await client.request("node")).response.result).toEqual([]);
    expect((await client.request("echo", { value: 1 })).response.result).toBe(1);
    expect(gateway.nodes.failedConfigs.list()).toMatchObject([
      {
        requestType: "node",
        faults: ["requestType must not be that of a function of the gateway's host program"],
      },
    ]);
    // Nor when it goes.
    await node.stop();
    expect((await client.request("node")).response.result).toEqual([]);
  });
});

describe("the modules of a node, or of a gateway", () => {
  test("are all that a node's own functions can name", async () => {
    const start = (options: object) =>
      startServiceNode({
        logger: false,
        name: "n",
        functions: [echo({})],
        cluster: link({ gateways: ["ws://127.0.0.1:1/node"] }),
        ...options,
      });
    await expect(start({ modules: { other: serviceModule } })).rejects.toMatchObject({
      code: "invalid_config",
      message: 'remote.echo: mfa.module must be one of the node\'s modules ("other"), got "remote"',
    });
    const narrowed = { modules: { remote: serviceModule }, mfaAllowlist: ["remote.node"] };
    await expect(start(narrowed)).rejects.toMatchObject({
      code: "invalid_config",
      message: "remote.echo: mfa remote.echo is not in mfaAllowlist",
    });
  });

  test("are all that the resolver of a service that is pulled can be in", async () => {
    const start = (module: string) =>
      startGateway({
        modules: { remote: serviceModule },
        mfaAllowlist: ["remote.echo"],
        serviceConfigs: [{ service: "remote", nodes: { module, function: "node" } }],
      });
    await expect(start("other")).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(
        'serviceConfigs[0].nodes.module must be one of the gateway\'s modules ("remote"), got "other"',
      ),
    });
    await expect(start("remote")).rejects.toThrow("serviceConfigs[0].nodes remote.node is not in mfaAllowlist");
  });

  test.each([
    ["fs", "readFileSync", ["/etc/passwd"]],
    ["node:fs", "readFileSync", ["/etc/passwd"]],
    [serviceModule.href, "may", [{ args: { user: "alice" } }]],
    ["constructor", "constructor", []],
    ["__proto__", "toString", []],
    ["remote", "may", [{ args: { user: "alice" } }]],
  ])("are all that a gateway can have run there, whatever it names: not %s.%s", async (module, name, args) => {
    const failed = nextEvent("config.pull.stop", ({ metadata }) => metadata.error?.message.includes("n:") === true);
    const gateway = await startGateway({
      serviceConfigs: [{ service: "remote", nodes: ["n"], module, function: name, args: args as unknown[] }],
    });
    const node = await startNode([gateway], {
      name: "n",
      functions: [remote],
      mfaAllowlist: remote.functions.flatMap(({ requestType }) =>
        requestType === "asks" ? ["remote.asks"] : [`remote.${requestType}`],
      ),
      pushOnStartup: false,
    }).catch((error) => error);
    // What asks for permission is not allowed either: such a node does not start.
    expect(node).toMatchObject({ message: expect.stringContaining("remote.may is not in mfaAllowlist") });
    await startNode([gateway], {
      name: "n",
      modules: { remote: serviceModule },
      functions: [echo({})],
      mfaAllowlist: ["remote.echo"],
      pushOnStartup: false,
    });
    expect((await failed).metadata).toMatchObject({ outcome: "failed", node: null });
    expect((await failed).metadata.error?.message).toContain("n: Internal Server Error");
    expect(gateway.configCache.count).toBe(0);
  });
});

const addressOff = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

describe("beyond this machine", () => {
  const node = (options: object, url = "ws://192.0.2.7:4001/node") =>
    startServiceNode({ logger: false, name: "n", functions: [remote], cluster: link({ gateways: [url] }), ...options });

  test("a gateway must have a token and TLS, or say that it is insecure", async () => {
    const listen = { host: "0.0.0.0", port: 0 };
    await expect(startGenApi({ logger: false, cluster: link({ listen }) })).rejects.toMatchObject({
      code: "invalid_option",
      message:
        "Invalid options of startGenApi: " +
        'cluster.listen.host must be a loopback address without a pushToken, got "0.0.0.0"; ' +
        "cluster.listen.host must be a loopback address without cluster.listen.tls or cluster.insecure: true, " +
        'got "0.0.0.0"',
    });
    await expect(startGenApi({ logger: false, pushToken: secret, cluster: link({ listen }) })).rejects.toMatchObject({
      message: expect.stringMatching(/^[^;]*without cluster\.listen\.tls or cluster\.insecure: true[^;]*$/),
    });
    await expect(startGenApi({ logger: false, cluster: link({ listen, insecure: true }) })).rejects.toMatchObject({
      message: expect.stringMatching(/^[^;]*without a pushToken[^;]*$/),
    });
  });

  test("a node must have a token, and a wss URL or say that it is insecure", async () => {
    await expect(node({})).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringMatching(
        /cluster\.gateways\[0\] must be on this machine without a pushToken.*; cluster\.gateways\[0\] must be a wss/,
      ),
    });
    await expect(node({ pushToken: secret })).rejects.toMatchObject({
      message: expect.stringMatching(/^[^;]*must be a wss:\/\/ URL[^;]*$/),
    });
    await expect(node({}, "wss://192.0.2.7:4001/node")).rejects.toMatchObject({
      message: expect.stringMatching(/^[^;]*without a pushToken[^;]*$/),
    });
  });

  test.skipIf(addressOff === undefined)(
    "a node that speaks without TLS where clients connect is refused, unless the gateway says so too",
    async () => {
      const listen = { host: "0.0.0.0", port: 0 };
      const url = (gateway: { address: { port: number } | undefined }) =>
        `ws://${addressOff}:${gateway.address?.port}/node`;
      const options = { name: "n", functions: [remote], workerPool: { threads: 1 }, pushToken: secret };
      const strict = await startGateway({ listen, pushToken: secret });
      const refused = nextEvent("node.link.refuse");
      keep(
        await startServiceNode({
          logger: false,
          ...options,
          cluster: link({ gateways: [url(strict)], insecure: true }),
        }),
      );
      expect((await refused).metadata).toMatchObject({
        status: 403,
        reason: "without TLS, or insecure: true, only nodes on this machine are admitted",
      });
      const open = await startGateway({ listen, pushToken: secret, cluster: link({ insecure: true }) });
      const through = keep(
        await startServiceNode({ logger: false, ...options, cluster: link({ gateways: [url(open)], insecure: true }) }),
      );
      await through.connected();
      expect(await open.call(call)).toBe(1);
      expect(strict.nodes.list()).toEqual([]);
    },
  );

  test.skipIf(addressOff === undefined)("with TLS and a token calls work, on a port of the link's own", async () => {
    const authority = createAuthority();
    const { cert, key } = authority.issue("gateway", addressOff as string);
    const gateway = await startGateway({
      pushToken: secret,
      cluster: link({ listen: { host: "0.0.0.0", port: 0, tls: { cert, key } } }),
    });
    const url = `wss://${addressOff}:${gateway.nodes.address?.port}/node`;
    const secure = keep(
      await startServiceNode({
        logger: false,
        name: "n",
        functions: [remote],
        workerPool: { threads: 1 },
        pushToken: secret,
        cluster: link({ gateways: [url], tls: { ca: authority.cert } }),
      }),
    );
    await secure.connected();
    expect(await gateway.call(call)).toBe(1);
  });
});

describe("TLS on a link", () => {
  const authority = createAuthority();
  const stranger = createAuthority("Stranger");

  const secureGateway = (tls: object) =>
    startGateway({ pushToken: secret, cluster: link({ listen: { port: 0, tls } }) });
  const secureNode = async (gateway: { nodes: { address: { url: string } | undefined } }, name: string, tls: object) =>
    keep(
      await startServiceNode({
        logger: false,
        name,
        functions: [remote],
        workerPool: { threads: 1 },
        pushToken: secret,
        cluster: link({ gateways: [gateway.nodes.address?.url ?? ""], tls }),
      }),
    );
  const certificate = authority.issue("gateway", "127.0.0.1");

  test("keeps a node away from a gateway whose certificate it does not trust", async () => {
    const gateway = await secureGateway(certificate);
    expect(gateway.nodes.address?.url).toMatch(/^wss:/);
    const away = nextEvent("node.link.retry");
    await secureNode(gateway, "wary", { ca: stranger.cert });
    expect((await away).metadata.reason).toMatch(/certificate/);
    const node = await secureNode(gateway, "trusting", { ca: authority.cert });
    await node.connected();
    expect(await gateway.call(call)).toBe(1);
    expect(gateway.nodes.list().map(({ node }) => node)).toEqual(["trusting"]);
  });

  test("in both directions lets only nodes with a certificate of the gateway's authority in, with the token besides", async () => {
    const mutual = { ...certificate, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
    const gateway = await secureGateway(mutual);
    const none = nextEvent("node.link.retry", ({ metadata }) => metadata.node === "none");
    await secureNode(gateway, "none", { ca: authority.cert });
    const strange = nextEvent("node.link.retry", ({ metadata }) => metadata.node === "strange");
    await secureNode(gateway, "strange", { ca: authority.cert, ...stranger.issue("strange") });
    await Promise.all([none, strange]);
    const known = await secureNode(gateway, "known", { ca: authority.cert, ...authority.issue("known") });
    await known.connected();
    expect(await gateway.call(call)).toBe(1);
    const start = async () =>
      keep(
        await startServiceNode({
          logger: false,
          name: "tokenless",
          functions: [remote],
          workerPool: { threads: 1 },
          pushToken: otherSecret,
          cluster: link({
            gateways: [gateway.nodes.address?.url ?? ""],
            tls: { ca: authority.cert, ...authority.issue("tokenless") },
          }),
        }),
      );
    expect((await refusalOf("tokenless", start)).code).toBe("unauthenticated");
    expect(gateway.nodes.list().map(({ node }) => node)).toEqual(["known"]);
  });
});
