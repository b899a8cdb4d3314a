import { describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import { cast } from "../../src/actor/gen-server/gen-server.ts";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import { type SupervisorRef, whichChildren } from "../../src/actor/supervisor/supervisor-requests.ts";
import { type FunConfigInput, parseFunConfig } from "../../src/config/fun-config.ts";
import { libraryError } from "../../src/core/errors.ts";
import type { RemoteNode } from "../../src/node/calls/remote-call.ts";
import { callNode } from "../../src/runtime/gateway/call-node.ts";
import { serviceConfigSchema } from "../../src/sync/service-config.ts";
import { recordEvents } from "../support/record-events.ts";
import { fun, idle, openReceiver, type ReceiverOptions, serviceConfig } from "./open-receiver.ts";

interface Node {
  functions: unknown;
  version: unknown;
  /** Rejects, or never answers, when set. */
  fault?: "rejects" | "hangs" | undefined;
}

/** A gateway whose nodes answer pulls, and what they were asked. */
function openWithNodes(options: ReceiverOptions = {}, live = ["a", "b"]) {
  const nodes: Record<string, Node> = {
    a: { functions: [remote("get"), remote("put")], version: "1" },
    b: { functions: [remote("get"), remote("put")], version: "1" },
  };
  const asked: string[] = [];
  const cancelled: string[] = [];
  const remoteNode = (name: string): RemoteNode => ({
    run({ module, function: fun, args, succeeded, failed }) {
      asked.push(`${name} ${module}.${fun}(${args})`);
      const { fault, version, functions } = nodes[name] as Node;
      if (fault === "rejects") failed(libraryError("failed", "it is ill"), true);
      else if (fault !== "hangs") succeeded(JSON.stringify(fun.includes("version") ? version : functions));
      return { cancel: (reason) => void cancelled.push(`${name} ${reason}`) };
    },
    stream: () => {
      throw new Error("nothing that is pulled is a stream");
    },
  });
  const gateway = openReceiver({
    callNode: (name, _service, mfa, limits) => callNode(remoteNode(name), mfa, limits, gateway.simulated),
    live,
    serviceConfigs: [serviceConfig()],
    ...options,
  });
  const state = () => {
    const pullers = whichChildren(gateway.system.whereis<SupervisorRef>("config_puller")!);
    return pullers.map(({ ref }) => (ref as AnyActorRef).getSnapshot().value as string);
  };
  const advance = async (ms: number) => {
    await gateway.simulated.advanceAsync(ms);
    await idle();
  };
  return Object.assign(gateway, { nodes, asked, cancelled, state, advance });
}

/** A function as a node returns it. */
function remote(requestType: string, fields: Partial<FunConfigInput> = {}): object {
  const { nodes: _local, ...config } = fun(requestType, fields);
  return { ...config, ...(fields.nodes === undefined ? {} : { nodes: fields.nodes }) };
}

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

const version = "a gen_api.config_version(users)";
const functions = "a gen_api.get_functions(users)";

describe("a service that is pulled", () => {
  test("is pulled at the start, by the node's built-in functions, and runs on the service's nodes", async () => {
    await using gateway = openWithNodes();
    using events = recordEvents("config.pull.start", "config.pull.stop");
    await idle();
    expect(gateway.table()).toEqual({ "users get -": ["a", "b"], "users put -": ["a", "b"] });
    expect(gateway.functionTable.find("users", "get", null)?.origin).toBe("pulled");
    expect(gateway.asked).toEqual([version, functions]);
    expect(gateway.expected.isExpected("users")).toBe(false);
    expect(events.messages.at(-1)).toMatchObject({
      measurements: { accepted: 2, refused: 0 },
      metadata: { gateway: "gateway", service: "users", node: "a", outcome: "changed", error: null },
    });
  });

  test("is asked for its version every interval, and pulled only when that has changed", async () => {
    await using gateway = openWithNodes();
    await idle();
    gateway.asked.length = 0;
    await gateway.advance(29_999);
    expect([gateway.asked, gateway.state()]).toEqual([[], ["waiting"]]);
    await gateway.advance(1);
    expect(gateway.asked).toEqual([version]);
    gateway.nodes.a = { functions: [remote("get")], version: "2" };
    await gateway.advance(30_000);
    expect(gateway.asked).toEqual([version, version, functions]);
    expect(gateway.table()).toEqual({ "users get -": ["a", "b"] });
  });

  test("is pulled though its version is the same where its functions were taken out of the table", async () => {
    await using gateway = openWithNodes();
    await idle();
    gateway.functionTable.clear();
    await gateway.advance(30_000);
    expect(Object.keys(gateway.table())).toEqual(["users get -", "users put -"]);
  });

  test("without a version function is pulled every time, and changes nothing when it returns the same", async () => {
    const config = serviceConfig({ module: "supporter", function: "get_config", args: ["x"] });
    await using gateway = openWithNodes({ serviceConfigs: [config] });
    await idle();
    const before = gateway.functionTable.find("users", "get", null);
    await gateway.advance(30_000);
    expect(gateway.asked).toEqual(["a supporter.get_config(x)", "a supporter.get_config(x)"]);
    expect(gateway.functionTable.find("users", "get", null)).toBe(before);
  });

  test("asks its live nodes one after another until one answers rightly", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [serviceConfig({ nodes: ["down", "a", "b"] })] });
    gateway.nodes.a!.fault = "rejects";
    await idle();
    expect(gateway.asked.map((call) => call.split(" ")[0])).toEqual(["a", "b", "b"]);
    expect(gateway.table()).toMatchObject({ "users get -": ["a", "b", "down"] });
  });

  test("asks no node that has the name of one of its nodes and came for another service", async () => {
    await using gateway = openWithNodes({}, []);
    gateway.notServed.add("users a");
    await gateway.up("a");
    expect([gateway.asked, gateway.state()]).toEqual([[], ["backing_off"]]);
    await gateway.up("b");
    expect(gateway.asked).toEqual(["b gen_api.config_version(users)", "b gen_api.get_functions(users)"]);
  });

  test("goes to the next node when one has not answered within pullTimeoutMs", async () => {
    await using gateway = openWithNodes();
    gateway.nodes.a!.fault = "hangs";
    await gateway.advance(4_999);
    expect(gateway.table()).toEqual({});
    await gateway.advance(1);
    expect(Object.keys(gateway.table())).toHaveLength(2);
    expect(gateway.cancelled).toEqual(["a timeout"]);
  });

  test("fails with what is no list, or no version; its functions stay", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [serviceConfig({ nodes: ["a"] })] });
    await idle();
    using events = recordEvents("config.pull.stop");
    for (const [functions, version, problem] of [
      [{}, "2", "must return a list of FunConfigs, got map"],
      [null, "3", "must return a list of FunConfigs, got null"],
      [[], { secret: 1 }, "its version must be a string"],
    ]) {
      gateway.nodes.a = { functions, version };
      await gateway.advance(600_000);
      const error = expect.objectContaining({ message: expect.stringContaining(problem as string) });
      expect(events.messages.at(-1)?.metadata).toMatchObject({ outcome: "failed", node: null, error });
    }
    expect(Object.keys(gateway.table())).toHaveLength(2);
  });

  test("fails with more functions than a node may have; as many as it may have are taken", async () => {
    await using gateway = openWithNodes({
      limits: { maxFunctions: 2 },
      serviceConfigs: [serviceConfig({ nodes: ["a"] })],
    });
    await idle();
    expect(Object.keys(gateway.table())).toEqual(["users get -", "users put -"]);
    using events = recordEvents("config.pull.stop");
    gateway.nodes.a = { functions: [remote("one"), remote("two"), remote("three")], version: "2" };
    await gateway.advance(600_000);
    const message = expect.stringContaining("may return 2 FunConfigs at most, got 3");
    expect(events.messages[0]?.metadata).toMatchObject({
      outcome: "failed",
      error: expect.objectContaining({ message }),
    });
    expect(Object.keys(gateway.table())).toEqual(["users get -", "users put -"]);
  });

  test("backs off while it fails, up to 300 s with jitter, and returns to its interval", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [serviceConfig({ nodes: ["a"] })] });
    gateway.nodes.a!.fault = "rejects";
    await idle();
    // With 0.5 as the random number the jitter is a factor of 1.
    for (const ms of [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]) {
      gateway.asked.length = 0;
      expect(gateway.state()).toEqual(["backing_off"]);
      await gateway.advance(ms - 1);
      expect(gateway.asked).toEqual([]);
      await gateway.advance(1);
      expect(gateway.asked).toHaveLength(1);
    }
    gateway.nodes.a!.fault = undefined;
    await gateway.advance(300_000);
    expect(gateway.state()).toEqual(["waiting"]);
    gateway.nodes.a!.fault = "rejects";
    await gateway.advance(30_000);
    gateway.asked.length = 0;
    await gateway.advance(30_000);
    expect(gateway.asked).toHaveLength(1);
  });

  test("without a live node is pulled as soon as one comes", async () => {
    await using gateway = openWithNodes({}, []);
    await idle();
    expect([gateway.asked, gateway.state()]).toEqual([[], ["backing_off"]]);
    gateway.live.add("b");
    cast(gateway.receiver(), "nodeUp", "b");
    await idle();
    expect([Object.keys(gateway.table()).length, gateway.state()]).toEqual([2, ["waiting"]]);
  });

  test("may be on nodes that a resolver names, which then decides for every request too", async () => {
    const nodes = { module: "cluster", function: "nodes", args: [] };
    await using gateway = openWithNodes({
      serviceConfigs: [serviceConfig({ nodes })],
      resolveNodes: async () => ["b"],
    });
    await idle();
    expect(gateway.asked[0]).toBe("b gen_api.config_version(users)");
    expect(gateway.table()).toMatchObject({ "users get -": nodes });
  });

  test("fails while its resolver returns no names, or does not return within pullTimeoutMs", async () => {
    const nodes = { module: "cluster", function: "nodes", args: [] };
    using events = recordEvents("config.pull.stop");
    let answer: unknown = { a: 1 };
    await using gateway = openWithNodes({ serviceConfigs: [serviceConfig({ nodes })], resolveNodes: () => answer });
    await idle();
    answer = new Promise(() => undefined);
    await gateway.advance(30_000);
    await gateway.advance(5_000);
    expect(events.messages.map(({ metadata }) => String((metadata as { error: unknown }).error))).toEqual([
      expect.stringContaining("must return node names, got map"),
      expect.stringContaining("timed out after 5000 ms"),
    ]);
    expect(gateway.state()).toEqual(["backing_off"]);
  });

  test("has its functions measured as pushed ones are; one may name some of the service's nodes", async () => {
    await using gateway = openWithNodes();
    gateway.nodes.a!.functions = [
      remote("get", { nodes: ["b"] }),
      remote("away", { nodes: ["c"] }),
      remote("local", { nodes: "local" }),
      remote("main", { runOn: "main" }),
      remote("other", { service: "orders" }),
      remote("hooked", { beforeExecute: "secrets.read" }),
    ];
    await gateway.host(fun("put"));
    await idle();
    expect(gateway.table()).toEqual({ "users get -": ["b"], "users put -": "local" });
    expect(gateway.failedConfigs.list().map(({ requestType, via }) => `${via} ${requestType}`)).toEqual(
      ["away", "local", "main", "other", "hooked"].map((name) => `pull ${name}`),
    );
  });

  test("is both pulled and pushed: the newer content is in effect, on all of its nodes", async () => {
    await using gateway = openWithNodes();
    await idle();
    await gateway.push("c", [fun("get", { timeout: 9_000 })]);
    expect(gateway.table()).toEqual({ "users get -": ["a", "b", "c"], "users put -": ["a", "b"] });
    expect(gateway.functionTable.find("users", "get", null)?.config.timeout).toBe(9_000);
  });
});

describe("a push that asks for pulls", () => {
  const pull = { module: "supporter", function: "functions", args: [], versionFunction: "version" };

  test("has what its node pushed renewed by what the node returns, until it pushes without", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [] });
    await gateway.push("a", [fun("old")], { pull });
    await gateway.push("b", [fun("old"), fun("get")]);
    await idle();
    expect(gateway.table()).toEqual({ "users get -": ["a", "b"], "users old -": ["b"], "users put -": ["a"] });
    gateway.nodes.a = { functions: [remote("get")], version: "2" };
    await gateway.advance(30_000);
    expect(gateway.table()).toEqual({ "users get -": ["a", "b"], "users old -": ["b"] });
    await gateway.push("a", [fun("new")]);
    gateway.asked.length = 0;
    await gateway.advance(60_000);
    expect([gateway.asked, gateway.state()]).toEqual([[], []]);
    expect(gateway.table()).toMatchObject({ "users new -": ["a"] });
  });

  test("is not pulled any more when its node is forgotten", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [] });
    await gateway.push("a", [fun("get")], { pull });
    await gateway.forget("a");
    await gateway.advance(30_000);
    expect([gateway.table(), gateway.state()]).toEqual([{}, []]);
  });

  test("never has an older pull put before what its node pushes meanwhile", async () => {
    const { promise: released, resolve: release } = deferred();
    await using gateway = openWithNodes({
      serviceConfigs: [],
      async compile(config) {
        const parsed = parseFunConfig(config);
        if (parsed.requestType === "slow") await released;
        return { config: parsed };
      },
    });
    gateway.nodes.a = { functions: [remote("slow")], version: "1" };
    await gateway.push("a", [fun("old")], { pull });
    await idle();
    await gateway.push("a", [fun("new")], { pull });
    release();
    await idle();
    expect(gateway.table()).toEqual({ "users new -": ["a"] });
  });

  test("leaves a service alone whose pulls the host configured", async () => {
    await using gateway = openWithNodes();
    await gateway.push("a", [fun("get")], { pull });
    expect(gateway.state()).toHaveLength(1);
  });

  test("is remembered when the receiver, a puller or the pullers' supervisor crashes", async () => {
    await using gateway = openWithNodes({ serviceConfigs: [serviceConfig({ service: "orders" })] });
    await gateway.push("a", [fun("get")], { pull });
    await idle();
    const supervisor = () => gateway.system.whereis<SupervisorRef>("config_puller")!;
    kill(gateway.receiver()!);
    await gateway.advance(10);
    expect(gateway.state()).toHaveLength(2);
    kill(whichChildren(supervisor())[0]!.ref!);
    await gateway.advance(10);
    expect(gateway.state()).toHaveLength(2);
    kill(supervisor());
    await gateway.advance(10);
    expect(gateway.state()).toHaveLength(2);
  });
});

test("A gateway that stops in the middle of a pull leaves nothing behind", async () => {
  const gateway = openWithNodes();
  gateway.nodes.a!.fault = "hangs";
  await idle();
  expect(gateway.state()).toEqual(["pulling"]);
  using events = recordEvents("config.pull.stop");
  await gateway.system.shutdown();
  await idle();
  expect([gateway.cancelled, gateway.asked]).toEqual([["a stopped"], [version]]);
  expect([gateway.simulated.pending, events.messages]).toEqual([0, []]);
});

test("A service config names its faults", () => {
  expect(serviceConfigSchema.safeParse({ service: "users", nodes: ["a"] }).success).toBe(true);
  const nodes = { module: "cluster", function: "nodes" };
  expect(serviceConfigSchema.parse({ service: "users", nodes }).nodes).toEqual({ ...nodes, args: [] });
  for (const wrong of [{ nodes: "local" }, { nodes: [] }, { service: "" }, { args: {} }, { surplus: 1 }]) {
    expect(serviceConfigSchema.safeParse({ service: "users", nodes: ["a"], ...wrong }).success).toBe(false);
  }
});
