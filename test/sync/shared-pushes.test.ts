import { describe, expect, test } from "vitest";
import { cast } from "../../src/actor/gen-server/gen-server.ts";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import type { AcceptedPush } from "../../src/sync/push/push.ts";
import type { SharedPushes, SharedPushesReceiver } from "../../src/sync/push/shared-pushes.ts";
import { recordEvents } from "../support/record-events.ts";
import { fun, idle, openReceiver, type ReceiverOptions } from "./open-receiver.ts";

/** A place where gateways share pushes, as a bucket does it: everybody hears every change, the author too. */
class Bucket {
  readonly entries = new Map<string, AcceptedPush>();
  isConnected = true;
  /** How often somebody took something back. */
  removals = 0;
  readonly #watchers = new Set<SharedPushesReceiver>();

  open(): SharedPushes {
    return {
      readTimeoutMs: 0,
      watch: (receiver) => {
        this.#watchers.add(receiver);
        for (const push of this.entries.values()) receiver.shared(structuredClone(push));
        receiver.read();
      },
      put: (push) => {
        const key = `${push.service} ${push.node}`;
        const text = JSON.stringify(push);
        if (JSON.stringify(this.entries.get(key)) === text) return;
        this.entries.set(key, structuredClone(push));
        this.say((watcher) => watcher.shared(JSON.parse(text)));
      },
      remove: async (service, node) => {
        if (!this.isConnected) return false;
        this.removals++;
        if (this.entries.delete(`${service} ${node}`)) this.say((watcher) => watcher.removed(service, node));
        return true;
      },
    };
  }

  /** Everybody hears one change before the next, whatever they do about it. */
  say(tell: (receiver: SharedPushesReceiver) => void): void {
    queueMicrotask(() => {
      for (const watcher of this.#watchers) tell(watcher);
    });
  }
}

function open(bucket: Bucket, options: ReceiverOptions = {}) {
  const place = bucket.open();
  return openReceiver({ sharedPushes: () => place, ...options });
}

describe("a push that one gateway accepted", () => {
  test("is registered by the others, after the same checks", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await using two = open(bucket);
    await two.host(fun("taken"));
    two.live.add("a");
    await one.push("a", [fun("get"), fun("taken")]);
    await idle();
    expect(one.table()).toEqual({ "users get -": ["a"], "users taken -": ["a"] });
    expect(two.table()).toEqual({ "users get -": ["a"], "users taken -": "local" });
    expect(two.failedConfigs.list()).toMatchObject([{ requestType: "taken", node: "a", via: "shared" }]);
    expect(two.expected.isExpected("users")).toBe(false);
  });

  test("is there for a gateway that starts later", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await one.push("a", [fun("get")]);
    await using late = open(bucket, { live: ["a"] });
    await idle();
    expect(late.table()).toEqual({ "users get -": ["a"] });
  });

  test("is skipped when the node then pushes it there too, and is the node's own from then on", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await using two = open(bucket);
    await one.push("a", [fun("get")], { configVersion: "1" });
    await idle();
    expect(await two.push("a", [fun("get")], { configVersion: "1" })).toMatchObject({ outcome: "skipped" });
    expect(two.sets.get("users", "a")?.isOwn).toBe(true);
  });

  test("is not skipped where functions of it were refused: by the gateway itself before its restart, or by another", async () => {
    const bucket = new Bucket();
    const functions = [fun("get"), fun("hooked", { beforeExecute: "hooks.before" })];
    await using strict = open(bucket);
    const refused = { accepted: 1, refused: [{ requestType: "hooked" }] };
    expect(await strict.push("a", functions, { configVersion: "1" })).toMatchObject(refused);
    await strict.lose("a");
    await using fixed = open(bucket, { pushableModules: new Set(["hooks"]) });
    await idle();
    expect(fixed.table()).toEqual({ "users get -": ["a"] });
    expect(await fixed.push("a", functions, { configVersion: "1" })).toMatchObject({ accepted: 2 });
    await idle();
    // A third, which takes no more than the first did, knows that it lacks one of what is shared now.
    await using third = open(bucket);
    await idle();
    expect(third.table()).toEqual({ "users get -": ["a"] });
    expect(await third.push("a", functions, { configVersion: "1" })).toMatchObject(refused);
  });

  test("is shared with what it was known by, and with how many functions it had where some were refused", async () => {
    const bucket = new Bucket();
    await using gateway = open(bucket);
    await gateway.push("a", [fun("get")], { configVersion: "1" });
    const hash = expect.stringMatching(/^[0-9a-f]{32}$/);
    const entry = { service: "users", node: "a", functionsHash: hash, functions: [shared("get")], pull: null };
    expect([...bucket.entries.values()]).toEqual([{ ...entry, configVersion: "1" }]);
    await gateway.push("a", [fun("get"), fun("wrong", { timeout: 1 })], { configVersion: "2" });
    expect([...bucket.entries.values()]).toEqual([{ ...entry, configVersion: "2", count: 2 }]);
  });

  test("is not skipped where the node has others under its version since, or none can tell", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await one.push("a", [fun("get")], { configVersion: "1" });
    await one.lose("a");
    await using two = open(bucket);
    await idle();
    expect(await two.push("a", [fun("put")], { configVersion: "1" })).toMatchObject({ outcome: "accepted" });
    expect(two.table()).toEqual({ "users put -": ["a"] });
    // By a gateway of an earlier release.
    bucket.open().put({ service: "users", node: "b", configVersion: "1", functions: [shared("get")], pull: null });
    await idle();
    expect(await two.push("b", [fun("get")], { configVersion: "1" })).toMatchObject({ outcome: "accepted" });
    expect(await two.push("b", [fun("get")], { configVersion: "1" })).toMatchObject({ outcome: "skipped" });
  });

  test("is an echo to its author, which changes nothing", async () => {
    const bucket = new Bucket();
    let compiled = 0;
    await using one = open(bucket, {
      compile: async (config) => {
        compiled += 1;
        return { config: config as never };
      },
    });
    await one.push("a", [fun("get", { version: null })]);
    const entry = one.functionTable.find("users", "get", null);
    await idle();
    expect([compiled, one.functionTable.find("users", "get", null) === entry]).toEqual([1, true]);
  });

  test("never goes before what the node itself has told a gateway", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await one.push("a", [fun("new")]);
    bucket.say((gateway) =>
      gateway.shared({ service: "users", node: "a", configVersion: "0", functions: [fun("old")], pull: null }),
    );
    await idle();
    expect(one.table()).toEqual({ "users new -": ["a"] });
  });

  test("is taken back when its node is forgotten, by all gateways where that is not live", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await using two = open(bucket);
    await one.push("a", [fun("get")]);
    await idle();
    await one.forget("a");
    expect([one.table(), two.table(), bucket.entries.size]).toEqual([{}, {}, 0]);
  });

  test("stays where its node is live, and is shared again from there", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await using two = open(bucket);
    await one.push("a", [fun("get")]);
    await two.push("a", [fun("get")]);
    await one.forget("a");
    await idle();
    expect([two.table(), bucket.entries.size]).toEqual([{ "users get -": ["a"] }, 1]);
    expect(one.table()).toEqual({ "users get -": ["a"] });
    // To the one gateway the node is away: it waits for it once more.
    expect(one.simulated.pending).toBe(1);
  });

  test("is not that of a node which came under its name for another service: who told of it takes it back", async () => {
    const bucket = new Bucket();
    await using gateway = open(bucket);
    await gateway.push("a", [fun("get")], { configVersion: "1" });
    await gateway.lose("a");
    gateway.notServed.add("users a");
    await gateway.up("a");
    // Another gateway, where a node of this name is live, knows better.
    const newer = { service: "users", node: "a", configVersion: "2", functions: [shared("put")], pull: null };
    bucket.say((receiver) => receiver.shared(newer));
    await idle();
    expect(gateway.table()).toEqual({ "users put -": ["a"] });
    await gateway.wait(60_000);
    expect([gateway.table(), bucket.removals]).toEqual([{ "users put -": ["a"] }, 0]);
    bucket.say((receiver) => receiver.removed("users", "a"));
    await idle();
    expect(gateway.table()).toEqual({});
  });

  test("is taken back by nobody to whom its node has never come, be others of the service there or not", async () => {
    const bucket = new Bucket();
    await using owner = open(bucket);
    await owner.push("a", [fun("get")]);
    await using other = open(bucket);
    await other.push("b", [fun("get")]);
    await other.wait(600_000);
    expect(other.table()).toEqual({ "users get -": ["a", "b"] });
    expect([[...bucket.entries.keys()], bucket.removals]).toEqual([["users a", "users b"], 0]);
    await using late = open(bucket);
    await idle();
    expect(late.table()).toEqual({ "users get -": ["a", "b"] });
  });

  test("is taken back by anybody when no gateway stands for it any more and others of the service are there", async () => {
    const bucket = new Bucket();
    bucket.open().put({ service: "users", node: "gone", configVersion: "1", functions: [shared("get")], pull: null });
    await using gateway = open(bucket);
    const orphan = async () => {
      bucket.say((receiver) => receiver.orphaned("users", "gone"));
      await idle();
      return [Object.keys(gateway.table()), bucket.removals];
    };
    await gateway.wait(30_000);
    // Without another node nobody knows what has become of the service.
    expect(await orphan()).toEqual([["users get -"], 0]);
    await gateway.push("b", [fun("put")]);
    // It has its time to come, as the other has come.
    expect(await orphan()).toEqual([["users get -", "users put -"], 0]);
    await gateway.wait(30_000);
    expect(await orphan()).toEqual([["users put -"], 1]);
    bucket.say((receiver) => receiver.orphaned("users", "b"));
    await idle();
    expect([Object.keys(gateway.table()), bucket.removals]).toEqual([["users put -"], 1]);
  });

  test("is taken back at most once by each gateway that its node has gone from, while it is live at another", async () => {
    const bucket = new Bucket();
    await using stays = open(bucket);
    await using one = open(bucket);
    await using two = open(bucket);
    for (const gateway of [stays, one, two]) await gateway.push("a", [fun("get")]);
    await one.leave("a");
    await two.leave("a");
    for (let round = 0; round < 20; round++) for (const gateway of [one, two]) await gateway.wait(30_000);
    expect(bucket.removals).toBeLessThanOrEqual(2);
    expect([...bucket.entries.keys()]).toEqual(["users a"]);
    for (const gateway of [stays, one, two]) expect(gateway.table()).toEqual({ "users get -": ["a"] });
  });

  test("stays with a gateway that its node has told it itself, until that node's time is over there too", async () => {
    const bucket = new Bucket();
    await using one = open(bucket);
    await using two = open(bucket);
    for (const gateway of [one, two]) await gateway.push("a", [fun("get")]);
    await one.leave("a");
    await two.simulated.advanceAsync(29_000);
    await one.simulated.advanceAsync(29_000);
    await two.lose("a");
    await one.wait(1_000);
    expect([one.table(), two.table()]).toEqual([{}, { "users get -": ["a"] }]);
    await two.wait(29_999);
    expect(two.table()).toEqual({ "users get -": ["a"] });
    // It vanished here, but has told the other gateway that it goes.
    await two.wait(1);
    expect(two.table()).toEqual({});
  });

  test("is not taken back later when that was decided and the place was lost: it is decided anew", async () => {
    const bucket = new Bucket();
    await using gateway = open(bucket);
    await gateway.push("a", [fun("get")]);
    bucket.isConnected = false;
    await gateway.forget("a");
    expect([gateway.table(), bucket.entries.size]).toEqual([{ "users get -": ["a"] }, 1]);
    bucket.isConnected = true;
    await gateway.up("a");
    await gateway.wait(120_000);
    expect([gateway.table(), bucket.entries.size]).toEqual([{ "users get -": ["a"] }, 1]);
  });

  test("stays where its node comes back while it is being taken back", async () => {
    let removed: (isRemoved: boolean) => void = () => undefined;
    const place = {
      ...new Bucket().open(),
      remove: () => new Promise<boolean>((resolve) => (removed = resolve)),
    };
    await using gateway = openReceiver({ sharedPushes: () => place });
    await gateway.push("a", [fun("get")]);
    await gateway.forget("a");
    gateway.live.add("a");
    removed(true);
    await idle();
    expect(gateway.table()).toEqual({ "users get -": ["a"] });
  });

  test("counts as read when it is registered, not when it is heard", async () => {
    const bucket = new Bucket();
    const many = Array.from({ length: 300 }, (_, index) => shared(`type ${index}`));
    bucket.open().put({ service: "users", node: "a", configVersion: "1", functions: many, pull: null });
    await using gateway = open(bucket);
    gateway.reach.reached(true);
    expect(gateway.reach.isPartial).toBe(true);
    const counts: number[] = [];
    while (gateway.reach.isPartial) {
      counts.push(gateway.functionTable.count);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(counts.length).toBeGreaterThan(2);
    expect(gateway.functionTable.count).toBe(300);
  });

  test("counts in its last version alone where several come at once", async () => {
    const bucket = new Bucket();
    await using gateway = open(bucket, { live: ["a"] });
    const many = Array.from({ length: 300 }, (_, index) => shared(`type ${index}`));
    const push = { service: "users", node: "a", pull: null };
    bucket.say((one) => {
      one.shared({ ...push, configVersion: "1", functions: many });
      one.shared({ ...push, configVersion: "2", functions: many });
      one.removed("users", "a");
      one.shared({ ...push, configVersion: "3", functions: [shared("get")] });
    });
    await idle();
    expect(gateway.table()).toEqual({ "users get -": ["a"] });
  });
});

test("What is shared in a shape that cannot be is told and left out", async () => {
  const bucket = new Bucket();
  await using gateway = open(bucket, { limits: { maxFunctions: 1 } });
  using events = recordEvents("config.shared.refused");
  const push = { service: "users", node: "a", configVersion: "1", functions: [] as unknown[], pull: null };
  bucket.say((one) => {
    one.shared({ ...push, node: "" });
    one.shared({ ...push, functions: {} as never });
    one.shared({ ...push, functions: [shared("a"), shared("b")] });
    one.refused("users.b", "its signature is wrong");
  });
  await idle();
  expect(events.messages).toHaveLength(4);
  expect(events.messages.at(-1)?.metadata).toEqual({
    gateway: "gateway",
    key: "users.b",
    problem: "its signature is wrong",
  });
  expect(gateway.table()).toEqual({});
});

test("A place that is opened anew is told what live nodes have pushed, and a restarted receiver watches again", async () => {
  const first = new Bucket();
  const second = new Bucket();
  let place = first.open();
  await using gateway = openReceiver({ sharedPushes: () => place });
  await gateway.push("a", [fun("get")]);
  // Of a node that is not here any more, others may know better.
  await gateway.push("away", [fun("put")]);
  gateway.live.delete("away");
  place = second.open();
  cast(gateway.receiver(), "sharedPushesOpened");
  await idle();
  expect([...second.entries.keys()]).toEqual(["users a"]);
  kill(gateway.receiver()!);
  await gateway.simulated.advanceAsync(10);
  await gateway.forget("away");
  gateway.live.add("b");
  second.open().put({ service: "users", node: "b", configVersion: "1", functions: [shared("put")], pull: null });
  await idle();
  expect(gateway.table()).toEqual({ "users get -": ["a"], "users put -": ["b"] });
});

/** A function as gateways share it. */
function shared(requestType: string): object {
  const { nodes: _local, ...config } = fun(requestType);
  return config;
}
