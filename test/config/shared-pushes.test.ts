import { describe, expect, test } from "vitest";
import { kill } from "../../src/actor/exit.ts";
import { cast } from "../../src/actor/gen-server.ts";
import type { AcceptedPush } from "../../src/config/push.ts";
import type { SharedPushes, SharedPushesReceiver } from "../../src/config/shared-pushes.ts";
import { recordEvents } from "../support/record-events.ts";
import { fun, idle, openReceiver, type ReceiverOptions } from "./open-receiver.ts";

/** A place where gateways share pushes, as a bucket does it: everybody hears every change, the author too. */
class Bucket {
  readonly entries = new Map<string, AcceptedPush>();
  readonly #watchers = new Set<SharedPushesReceiver>();

  open(): SharedPushes {
    return {
      watch: (receiver) => {
        this.#watchers.add(receiver);
        for (const push of this.entries.values()) receiver.shared(structuredClone(push));
      },
      put: (push) => {
        const key = `${push.service} ${push.node}`;
        const text = JSON.stringify(push);
        if (JSON.stringify(this.entries.get(key)) === text) return;
        this.entries.set(key, structuredClone(push));
        for (const watcher of this.#watchers) watcher.shared(JSON.parse(text));
      },
      remove: (service, node) => {
        if (!this.entries.delete(`${service} ${node}`)) return;
        for (const watcher of this.#watchers) watcher.removed(service, node);
      },
    };
  }

  say(tell: (receiver: SharedPushesReceiver) => void): void {
    for (const watcher of this.#watchers) tell(watcher);
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
    const entry = one.store.find("users", "get", null);
    await idle();
    expect([compiled, one.store.find("users", "get", null) === entry]).toEqual([1, true]);
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

  test("is not that of a node which came under its name for another service, and is forgotten beside that", async () => {
    const bucket = new Bucket();
    await using gateway = open(bucket);
    await gateway.push("a", [fun("get")], { configVersion: "1" });
    await gateway.lose("a");
    gateway.notServed.add("users a");
    await gateway.up("a");
    // Another gateway, where the node itself is live, knows better.
    const newer = { service: "users", node: "a", configVersion: "2", functions: [shared("put")], pull: null };
    bucket.say((receiver) => receiver.shared(newer));
    await idle();
    expect(gateway.table()).toEqual({ "users put -": ["a"] });
    await gateway.simulated.advanceAsync(30_000);
    await idle();
    expect([gateway.table(), bucket.entries.size, gateway.simulated.pending]).toEqual([{}, 0, 0]);
  });

  test("is forgotten by a gateway where its node has not come within nodeGraceMs", async () => {
    const bucket = new Bucket();
    bucket.open().put({ service: "users", node: "gone", configVersion: "1", functions: [shared("get")], pull: null });
    await using late = open(bucket);
    await idle();
    expect(late.table()).toEqual({ "users get -": ["gone"] });
    await late.simulated.advanceAsync(29_999);
    expect(late.table()).toEqual({ "users get -": ["gone"] });
    await late.simulated.advanceAsync(1);
    await idle();
    expect([late.table(), bucket.entries.size, late.simulated.pending]).toEqual([{}, 0, 0]);
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
