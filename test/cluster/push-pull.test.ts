import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Gateway, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { nats } from "gen-api/nats";
import { describe, expect, test } from "vitest";
import type { TelemetryMessage } from "../../src/telemetry/telemetry.ts";
import { connect, keep, nextEvent, nodeUrlOf, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { NatsServer } from "../support/nats/nats-server.ts";
import { startRawNode } from "../support/network/raw-node.ts";
import { recordEvents } from "../support/record-events.ts";

const modules = { catalog: new URL("../fixtures/cluster/catalog.js", import.meta.url) };

/** A function that answers with its argument. */
const echo = (requestType: string, more: object = {}) => ({
  requestType,
  service: "catalog",
  nodes: "local" as const,
  timeout: 5_000,
  mfa: "catalog.echo",
  argTypes: { value: "num" as const },
  argOrders: ["value"],
  ...more,
});

const namesOf = (gateway: Gateway, service = "catalog") =>
  gateway.configCache
    .getFunctionsFromServices([service])
    .map(({ requestType }) => requestType)
    .sort();

/** What a call of a function of the catalog with the argument 1 gives: 1, or the error's code. */
async function answerOf(gateway: Gateway, requestType: string): Promise<unknown> {
  const response = await gateway.request({ service: "catalog", requestType, args: { value: 1 } });
  return response.success ? response.result : response.error_code;
}

describe("a push", () => {
  test("is skipped by a gateway that has this version; force pushes it all the same", async () => {
    const gateways = [await startGateway({ name: "g1" }), await startGateway({ name: "g2" })];
    const bothHaveIt = Promise.all(
      gateways.map(({ name }) => nextEvent("config.push", ({ metadata }) => metadata.gateway === name)),
    );
    const node = await startNode(gateways, { name: "n", modules, functions: [echo("a")], configVersion: "1" });
    await bothHaveIt;
    const outcomes = async (force: boolean) =>
      (await node.push({ force })).toSorted((one, other) => one.gateway.localeCompare(other.gateway));
    const skipped = { outcome: "skipped", reason: "version_matches" };
    expect(await outcomes(false)).toEqual([
      { gateway: "g1", service: "catalog", outcome: skipped },
      { gateway: "g2", service: "catalog", outcome: skipped },
    ]);
    const accepted = { outcome: "accepted", accepted: 1, refused: [] };
    expect((await outcomes(true)).map(({ outcome }) => outcome)).toEqual([accepted, accepted]);
    // A gateway whose host has deleted one of the functions lacks it whatever the version says.
    await gateways[0]?.configCache.delete("catalog", "a");
    expect((await outcomes(false)).map(({ outcome }) => outcome)).toEqual([accepted, skipped]);
    for (const gateway of gateways) expect(await answerOf(gateway, "a")).toBe(1);
  });

  test("can be verified: matched, mismatch with the gateway's version, or not_found", async () => {
    const gateway = await startGateway();
    const verified = async (node: Awaited<ReturnType<typeof startNode>>) => (await node.verify())[0]?.outcome;
    const quiet = await startNode([gateway], {
      name: "quiet",
      modules,
      functions: [echo("a")],
      pushOnStartup: false,
    });
    await gateway.nodes.whenUp("quiet");
    await quiet.connected();
    expect(await verified(quiet)).toEqual({ outcome: "not_found" });
    const first = await startNode([gateway], { name: "n", modules, functions: [echo("a")], configVersion: "1" });
    await first.connected();
    expect(await verified(first)).toEqual({ outcome: "matched" });
    await first.stop();
    const second = await startNode([gateway], {
      name: "n",
      modules,
      functions: [echo("a"), echo("b")],
      configVersion: "2",
      pushOnStartup: false,
    });
    await second.connected();
    expect(await verified(second)).toEqual({ outcome: "mismatch", gatewayVersion: "1" });
    expect(namesOf(gateway)).toEqual(["a"]);
    await second.push();
    expect(await verified(second)).toEqual({ outcome: "matched" });
    expect(namesOf(gateway)).toEqual(["a", "b"]);
    // The gateway's host has deleted one of them.
    await gateway.configCache.delete("catalog", "a");
    expect(await verified(second)).toEqual({ outcome: "not_found" });
    await second.push();
    expect(await verified(second)).toEqual({ outcome: "matched" });
  });

  test("of a node that was restarted with other functions under its version is taken: what it forbids now is forbidden", async () => {
    const gateway = await startGateway();
    const start = async (...functions: object[]) => {
      const configs = functions.map((more) => echo("a", more));
      const node = await startNode([gateway], { name: "n", modules, functions: configs, configVersion: "1" });
      await node.connected();
      return node;
    };
    const open = await start({});
    expect(await answerOf(gateway, "a")).toBe(1);
    await open.stop();
    const told = nextEvent("config.push.conflict");
    const strict = await start({ checkPermission: "any_authenticated" });
    expect(await answerOf(gateway, "a")).toBe("permission_denied");
    expect((await strict.verify())[0]?.outcome).toEqual({ outcome: "matched" });
    expect((await told).metadata).toMatchObject({ node: "n", other_node: "n", config_version: "1" });
  });

  test("replaces what the node pushed before: what it no longer holds goes, unless another node has it", async () => {
    const gateway = await startGateway();
    const start = async (name: string, ...types: string[]) => {
      const node = await startNode([gateway], { name, modules, functions: types.map((type) => echo(type)) });
      await node.connected();
      return node;
    };
    const n = await start("n", "a", "b", "c");
    await start("m", "b");
    await n.stop();
    await start("n", "a");
    expect(namesOf(gateway)).toEqual(["a", "b"]);
    expect(await answerOf(gateway, "a")).toBe(1);
    expect(await answerOf(gateway, "b")).toBe(1);
    expect(await answerOf(gateway, "c")).toBe("not_found");
  });

  test("of a node with two services goes service by service, each with its own version", async () => {
    const gateway = await startGateway();
    const other = { requestType: "b", service: "other", mfa: "catalog.echo" };
    const node = await startNode([gateway], { name: "n", modules, functions: [echo("a"), { ...echo("b"), ...other }] });
    await node.connected();
    const accepted = { outcome: "accepted", accepted: 1, refused: [] };
    const outcomes = await node.push({ force: true });
    expect(outcomes.map(({ service, outcome }) => [service, outcome])).toEqual([
      ["catalog", accepted],
      ["other", accepted],
    ]);
    expect(await answerOf(gateway, "a")).toBe(1);
    expect(await gateway.call({ service: "other", requestType: "b", args: { value: 2 } })).toBe(2);
    expect(gateway.nodes.list()).toMatchObject([{ node: "n", services: ["catalog", "other"] }]);
  });

  test("by hand takes a node of many services, to several gateways; one that is refused keeps no other back", async () => {
    const gateways = [await startGateway({ name: "g1" }), await startGateway({ name: "g2", maxFunctionsPerPush: 1 })];
    const ofService = (number: number) => echo("a", { service: `s${number}` });
    const six = Array.from({ length: 6 }, (_, index) => ofService(index + 1));
    const node = await startNode(gateways, { name: "n", modules, functions: six, pushOnStartup: false });
    await expect.poll(() => node.gateways.length).toBe(2);
    const pushed = await node.push();
    expect(pushed.map(({ service }) => service)).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6].map((n) => `s${n}`));
    const accepted = { outcome: "accepted", accepted: 1, refused: [] };
    expect(pushed.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 12 }, () => accepted));
    expect(new Set((await node.verify()).map(({ outcome }) => outcome.outcome))).toEqual(new Set(["matched"]));
    // Twice at once, which is as many at a time.
    const again = await Promise.all([node.push({ force: true }), node.push({ force: true })]);
    expect(again.map(({ length }) => length)).toEqual([12, 12]);
    await node.stop();
    const more = [{ ...ofService(1), requestType: "b" }, ...six, ofService(7)];
    const larger = await startNode(gateways, { name: "m", modules, functions: more, pushOnStartup: false });
    await expect.poll(() => larger.gateways.length).toBe(2);
    const tooMany = "A push may have 1 functions at most, got 2";
    await expect(larger.push()).rejects.toMatchObject({ code: "invalid_request", message: tooMany });
    for (const gateway of gateways) expect(namesOf(gateway, "s7")).toEqual(["a"]);
  });

  test("is kept for nodeGraceMs of a service that its node came back without; until then other nodes run it", async () => {
    const gateway = await startGateway({ nodeGraceMs: 3_000 });
    const other = { requestType: "b", service: "other", mfa: "catalog.echo" };
    const both = { name: "n", modules, functions: [echo("a"), echo("c"), { ...echo("b"), ...other }] };
    const node = await startNode([gateway], both);
    await node.connected();
    const second = await startNode([gateway], { name: "m", modules, functions: [echo("a")] });
    await second.connected();
    const deleted = nextEvent("config.delete");
    await node.stop();
    const fewer = await startNode([gateway], { ...both, functions: [{ ...echo("b"), ...other }] });
    await fewer.connected();
    for (let count = 0; count < 10; count++) expect(await answerOf(gateway, "a")).toBe(1);
    expect(await answerOf(gateway, "c")).toBe("unavailable");
    expect((await deleted).metadata).toMatchObject({ service: "catalog", request_type: "c" });
    expect([await answerOf(gateway, "c"), await answerOf(gateway, "a")]).toEqual(["not_found", 1]);
    expect(await gateway.call({ service: "other", requestType: "b", args: { value: 2 } })).toBe(2);
    expect(gateway.configCache.get("catalog", "a")).toMatchObject({ nodes: ["m"] });
  });

  test("of a function in another module than before: calls pass over the nodes that lack it", async () => {
    const gateway = await startGateway();
    const moduleUrl = modules.catalog;
    const start = async (name: string, module: string) => {
      const functions = [echo("a", { mfa: `${module}.echo`, chooseNodeMode: "roundRobin" })];
      const node = await startNode([gateway], { name, modules: { [module]: moduleUrl }, functions });
      await node.connected();
      return node;
    };
    await start("old", "catalog");
    const renamed = await start("new", "renamed");
    for (let count = 0; count < 10; count++) expect(await answerOf(gateway, "a")).toBe(1);
    await renamed.stop();
    // Until the new content is forgotten no node is left that has it.
    expect(await answerOf(gateway, "a")).toBe("internal");
  });

  test("without a gateway is `unavailable`, and so is verifying; connected() waits, until the node stops", async () => {
    const node = keep(
      await startServiceNode({
        logger: false,
        name: "n",
        modules,
        functions: [echo("a")],
        workerPool: { threads: 1 },
        cluster: link({ gateways: ["ws://127.0.0.1:9/node"] }),
      }),
    );
    const unavailable = { code: "unavailable", message: "The node n is connected to no gateway" };
    await expect(node.push()).rejects.toMatchObject(unavailable);
    await expect(node.verify()).rejects.toMatchObject(unavailable);
    const connected = expect(node.connected()).rejects.toMatchObject({ code: "stopped" });
    await node.stop();
    await connected;
  });

  test("with more functions than maxFunctionsPerPush is refused as a whole: the gateway has none, the node is told", async () => {
    const gateway = await startGateway({ maxFunctionsPerPush: 2, expectServices: ["catalog"] });
    const refused = nextEvent("gateway.push.exception");
    const functions = ["a", "b", "c"].map((type) => echo(type));
    const node = await startNode([gateway], { name: "n", modules, functions });
    const tooMany = { code: "invalid_request", message: "A push may have 2 functions at most, got 3" };
    expect((await refused).metadata.error).toMatchObject(tooMany);
    await expect(node.push()).rejects.toMatchObject(tooMany);
    expect(gateway.configCache.count).toBe(0);
    expect(await answerOf(gateway, "a")).toBe("unavailable");
    // No gateway has its functions, so it does not say so.
    const connected = expect(node.connected()).rejects.toMatchObject({ code: "stopped" });
    await node.stop();
    await connected;
    const small = await startNode([gateway], { name: "small", modules, functions: functions.slice(0, 2) });
    await small.connected();
    expect(await answerOf(gateway, "a")).toBe(1);
  });

  test("holds no slice that says more than the push announced, and no more than sliceSize", async () => {
    const gateway = await startGateway();
    const node = keep(await startRawNode(nodeUrlOf(gateway), "raw", ["catalog"]));
    const { nodes: _nodes, ...config } = echo("a");
    const begin = (count: number) =>
      node.ask("push_begin", { service: "catalog", configVersion: "1", count, force: false, pull: null }) as Promise<{
        push: number;
        sliceSize: number;
      }>;
    const first = await begin(1);
    const slice = (push: number, count: number) =>
      node.ask("push_slice", { push, functions: Array.from({ length: count }, () => config) });
    await expect(slice(first.push, 2)).rejects.toMatchObject({ code: "invalid_request" });
    // It is dropped.
    await expect(node.ask("push_end", { push: first.push })).rejects.toMatchObject({ code: "not_found" });
    const second = await begin(1_000);
    await expect(slice(second.push, second.sliceSize + 1)).rejects.toMatchObject({ code: "invalid_request" });
    // As many as were announced, or none.
    const third = await begin(2);
    await slice(third.push, 1);
    await expect(node.ask("push_end", { push: third.push })).rejects.toMatchObject({
      message: "The push announced 2 functions, got 1",
    });
    // So many under way, and no more.
    for (let count = 0; count < 4; count++) await begin(1);
    await expect(begin(1)).rejects.toMatchObject({ code: "unavailable" });
    expect(gateway.configCache.count).toBe(0);
  });

  test("holds no FunConfig of more than maxConfigBytes; the others are taken", async () => {
    const gateway = await startGateway({ maxConfigBytes: 1_000 });
    const pushed = nextEvent("gateway.push");
    const big = echo("big", { mfa: { module: "catalog", function: "echo", args: ["x".repeat(1_000)] } });
    const node = await startNode([gateway], { name: "n", modules, functions: [echo("a"), big] });
    await node.connected();
    expect((await pushed).metadata.faults).toEqual([
      expect.stringMatching(/^big: must have at most 1000 bytes as JSON, got 1\d\d\d$/),
    ]);
    expect(namesOf(gateway)).toEqual(["a"]);
    expect(gateway.nodes.failedConfigs.list()).toMatchObject([{ requestType: "big", node: "n", via: "push" }]);
  });

  test("of which a gateway refused some is tried again after its restart, though the gateways share the rest", async () => {
    const servers = keep(await NatsServer.start()).url;
    const start = (pushableModules: string[]) => {
      const cluster = nats({ servers, signingKey: "a key of the gateways alone, long enough", announceMs: 500 });
      return startGateway({ name: "g", cluster, modules, pushableModules });
    };
    const strict = await start([]);
    const functions = [echo("plain"), echo("hooked", { beforeExecute: "catalog.echo" })];
    const node = keep(
      await startServiceNode({
        logger: false,
        name: "n",
        modules,
        functions,
        workerPool: { threads: 1 },
        cluster: nats({ servers }),
      }),
    );
    await node.connected();
    expect(strict.nodes.failedConfigs.list()).toMatchObject([{ requestType: "hooked" }]);
    expect((await node.verify())[0]?.outcome).toMatchObject({ outcome: "mismatch" });
    await strict.stop();
    const pushed = nextEvent("config.push");
    const gateway = await start(["catalog"]);
    expect((await pushed).metadata).toMatchObject({ node: "n", outcome: "accepted" });
    expect([await answerOf(gateway, "plain"), await answerOf(gateway, "hooked")]).toEqual([1, 1]);
    expect((await node.verify())[0]?.outcome).toEqual({ outcome: "matched" });
  });

  test("that no gateway would take is refused where the node starts, with every fault", async () => {
    const long = "x".repeat(256);
    const start = (options: object) =>
      startServiceNode({
        logger: false,
        name: "n",
        modules,
        cluster: link({ gateways: ["ws://127.0.0.1:9/node"] }),
        ...options,
      });
    await expect(start({ name: long, service: long, configVersion: long })).rejects.toMatchObject({
      code: "invalid_option",
      message: `Invalid options of startServiceNode: ${["name", "service", "configVersion"]
        .map((name) => `${name} must be a string of 1 to 255 characters, got string`)
        .join("; ")}`,
    });
    const functions = Array.from({ length: 51 }, (_, index) => echo("a", { service: `service_${index}` }));
    await expect(start({ functions })).rejects.toMatchObject({
      message: "Invalid options of startServiceNode: functions must be of 50 services at most, got 51",
    });
  });

  test("of a service that a gateway expects ends its being `unavailable`", async () => {
    const gateway = await startGateway({ expectServices: ["catalog", "never"] });
    const client = await connect(urlOf(gateway), "catalog");
    const answer = async (type: string) => (await client.request(type, { value: 1 })).response;
    expect(await answer("a")).toMatchObject({ error_code: "unavailable", can_retry: true });
    expect(gateway.nodes.missingServices).toEqual(["catalog", "never"]);
    const node = await startNode([gateway], { name: "n", modules, functions: [echo("a")] });
    await node.connected();
    expect(await answer("a")).toMatchObject({ result: 1 });
    // What the service does not have is unknown from now on.
    expect(await answer("b")).toMatchObject({ error_code: "not_found", can_retry: false });
    expect(gateway.nodes.missingServices).toEqual(["never"]);
    const never = await gateway.request({ service: "never", requestType: "a", args: {} });
    expect(never.error_code).toBe("unavailable");
    expect((await gateway.request({ service: "unheard", requestType: "a", args: {} })).error_code).toBe("not_found");
  });
});

/** What a node says of itself to gateways that pull, in a file. */
class Catalog implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "gen-api-catalog-"));
  readonly file = join(this.#directory, "catalog.json");

  constructor(version: string, ...functions: readonly string[]) {
    this.write(version, ...functions);
  }

  write(version: string, ...functions: readonly string[]): void {
    const configs = functions.map((type) => {
      const { nodes: _nodes, ...config } = echo(type);
      return config;
    });
    // At once: it may be read at any moment.
    const text = JSON.stringify({ version, functions: configs });
    writeFileSync(this.file, text);
  }

  /** How often a gateway asked for the functions. */
  get pulls(): number {
    const notes = `${this.file}.pulls`;
    return existsSync(notes) ? readFileSync(notes, "utf8").split("\n").length - 1 : 0;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

type PullStop = TelemetryMessage<"config.pull.stop">;
const outcome =
  (wanted: "changed" | "unchanged" | "failed") =>
  ({ metadata }: PullStop) =>
    metadata.outcome === wanted;
const nextPull = (wanted: "changed" | "unchanged" | "failed") => nextEvent("config.pull.stop", outcome(wanted));

describe("a pull", () => {
  test("of a node that does not push brings its functions, at first at once, and again what has changed", async () => {
    const serviceConfigs = [{ service: "catalog", nodes: ["n"] }];
    const gateway = await startGateway({ serviceConfigs, pullIntervalMs: 50, expectServices: ["catalog"] });
    const start = (configVersion: string, ...types: string[]) =>
      startNode([gateway], {
        name: "n",
        modules,
        functions: types.map((type) => echo(type)),
        configVersion,
        pushOnStartup: false,
      });
    expect(await answerOf(gateway, "a")).toBe("unavailable");
    let changed = nextPull("changed");
    const first = await start("1", "a", "b");
    expect(await changed).toMatchObject({
      measurements: { accepted: 2, refused: 0 },
      metadata: { service: "catalog", node: "n", error: null },
    });
    expect(await answerOf(gateway, "a")).toBe(1);
    // No push was needed, and none is there.
    expect(gateway.nodes.missingServices).toEqual([]);
    await nextPull("unchanged");
    await first.stop();
    expect(await answerOf(gateway, "a")).toBe("unavailable");
    changed = nextPull("changed");
    await start("2", "b", "c");
    await changed;
    expect(namesOf(gateway)).toEqual(["b", "c"]);
    expect(await answerOf(gateway, "b")).toBe(1);
    expect(await answerOf(gateway, "a")).toBe("not_found");
  });

  test("asks the node's own functions for the version first, and for the functions when that has changed", async () => {
    using catalog = new Catalog("1", "a", "b");
    const source = { module: "catalog", function: "functions", args: [catalog.file], versionFunction: "version" };
    const serviceConfigs = [{ service: "catalog", nodes: ["n", "m"], ...source }];
    let changed = nextPull("changed");
    const gateway = await startGateway({ serviceConfigs, pullIntervalMs: 50 });
    await startNode([gateway], { name: "n", service: "catalog", modules, pushOnStartup: false });
    await changed;
    expect(namesOf(gateway)).toEqual(["a", "b"]);
    for (let count = 0; count < 3; count++) await nextPull("unchanged");
    expect(catalog.pulls).toBe(1);
    changed = nextPull("changed");
    catalog.write("2", "b", "c", "broken version");
    await changed;
    expect(namesOf(gateway)).toEqual(["b", "broken version", "c"]);
    expect(catalog.pulls).toBe(2);
    expect(await answerOf(gateway, "c")).toBe(1);
    // Every node that the pull names may run them.
    expect(gateway.configCache.get("catalog", "c")).toMatchObject({ nodes: ["m", "n"] });
  });

  test("that fails leaves the functions as they were, and is tried again with backoff, at once when a node comes", async () => {
    using catalog = new Catalog("1", "a");
    using pulls = recordEvents("config.pull.stop");
    const source = { module: "catalog", function: "functions", args: [catalog.file], versionFunction: "version" };
    const gateway = await startGateway({
      serviceConfigs: [{ service: "catalog", nodes: ["n"], ...source }],
      // The next attempt would come after the end of this test, if it were not for the node.
      pullIntervalMs: 100_000,
    });
    await expect.poll(() => pulls.messages.length).toBe(1);
    expect((pulls.messages as PullStop[])[0]?.metadata).toMatchObject({
      outcome: "failed",
      error: { message: 'The service "catalog" could not be pulled: none of its nodes is live (n)' },
    });
    const changed = nextPull("changed");
    await startNode([gateway], { name: "n", service: "catalog", modules, pushOnStartup: false });
    await changed;
    expect(await answerOf(gateway, "a")).toBe(1);
  });

  test("brings nothing that a push may not: refused configs are kept, the host's functions stay", async () => {
    using catalog = new Catalog("1", "a", "own");
    const source = { module: "catalog", function: "functions", args: [catalog.file], versionFunction: "version" };
    const changed = nextPull("changed");
    const gateway = await startGateway({
      modules,
      functions: [
        echo("own", {
          mfa: { module: "catalog", function: "echo", args: ["the host's"] },
          argTypes: null,
          argOrders: [],
        }),
      ],
      serviceConfigs: [{ service: "catalog", nodes: ["n"], ...source }],
      pullIntervalMs: 50,
    });
    await startNode([gateway], { name: "n", service: "catalog", modules, pushOnStartup: false });
    expect((await changed).measurements).toMatchObject({ accepted: 1, refused: 1 });
    expect(gateway.nodes.failedConfigs.list()).toMatchObject([{ requestType: "own", node: "n", via: "pull" }]);
    expect(await gateway.call({ service: "catalog", requestType: "own", args: {} })).toBe("the host's");
  });

  test("that a push asks for keeps the node's functions in step from then on, until the node is forgotten", async () => {
    using catalog = new Catalog("p2", "b", "c");
    const gateway = await startGateway({ pullIntervalMs: 50, nodeGraceMs: 200 });
    const changed = nextPull("changed");
    const node = await startNode([gateway], {
      name: "n",
      modules,
      functions: [echo("a"), echo("b")],
      configVersion: "p1",
      pull: { module: "catalog", function: "functions", args: [catalog.file], versionFunction: "version" },
    });
    await node.connected();
    await changed;
    expect(namesOf(gateway)).toEqual(["b", "c"]);
    expect(await answerOf(gateway, "c")).toBe(1);
    const again = nextPull("changed");
    catalog.write("p3", "c");
    await again;
    expect(namesOf(gateway)).toEqual(["c"]);
    const deleted = nextEvent("config.delete");
    await node.stop();
    await deleted;
    expect(await answerOf(gateway, "c")).toBe("not_found");
    // Nobody pulls from it any more.
    await expect.poll(() => JSON.stringify(gateway.tree())).not.toContain("pull catalog of n");
  });
});

describe("a service node", () => {
  test("need not say that its functions run on it", async () => {
    const gateway = await startGateway();
    const { nodes: _, ...config } = echo("plain");
    const node = await startNode([gateway], { name: "a", modules, functions: [config] });
    await node.connected();
    expect(await answerOf(gateway, "plain")).toBe(1);
  });

  test("that pushed by hand pushes again when its gateway is back", async () => {
    const gateway = await startGateway();
    const cluster = link({ gateways: [nodeUrlOf(gateway)] });
    const node = keep(
      await startServiceNode({
        logger: false,
        name: "a",
        modules,
        functions: [echo("one")],
        pushOnStartup: false,
        cluster,
      }),
    );
    await node.connected();
    expect(namesOf(gateway)).toEqual([]);
    await node.push();
    const { port } = new URL(nodeUrlOf(gateway));
    await gateway.stop();
    const again = await startGateway({ listen: { port: Number(port) }, expectServices: ["catalog"] });
    await again.nodes.servicesReady();
    expect(await answerOf(again, "one")).toBe(1);
  });

  test("none of whose functions was taken does not take itself for connected", async () => {
    const gateway = await startGateway({ expectServices: ["catalog"] });
    const cluster = link({ gateways: [nodeUrlOf(gateway)] });
    const pushed = nextEvent("gateway.push");
    const functions = [echo("hooked", { beforeExecute: "nobody.knows" })];
    const node = await startServiceNode({ logger: false, name: "a", modules, functions, cluster });
    let isConnected = false;
    const connected = node.connected().then(() => {
      isConnected = true;
    });
    expect(await pushed).toMatchObject({ measurements: { accepted: 0, refused: 1 } });
    await node.verify();
    expect(isConnected).toBe(false);
    expect(gateway.nodes.missingServices).toEqual(["catalog"]);
    const rejected = expect(connected).rejects.toMatchObject({ code: "stopped" });
    await node.stop();
    await rejected;
  });
});
