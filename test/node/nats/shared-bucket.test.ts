import { createHmac } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/time/clock.ts";
import { nats } from "../../../src/node/nats/nats.ts";
import { contentOf, EntrySigner, entryKey, entryOf, partKey } from "../../../src/node/pushes/shared-entry.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { until } from "../../support/until.ts";
import { openSockets } from "./open-sockets.ts";
import { RecordingScope } from "./recording-scope.ts";
import { pushOf, SharingGateway, signingKey } from "./sharing-gateway.ts";

/** What a gateway of another version of gen-api could have signed. */
function unknownVersion(key: string): Uint8Array {
  const body = JSON.stringify({ stamp: 1, digest: null, parts: [], more: true });
  const mac = createHmac("sha256", signingKey)
    .update(`gen-api shared push\ngen_api\n${key}\n${body}`)
    .digest("base64url");
  return Buffer.from(`${mac}\n${body}`);
}

describe("gateways that share pushes over NATS", () => {
  let server: NatsServer;
  /** Somebody who may write to the bucket, but has no key. */
  let outsider: NatsConnection;
  let bucket: KV;
  const signer = new EntrySigner([signingKey], "gen_api");

  beforeEach(async () => {
    server = await NatsServer.start();
    await attach();
  });
  afterEach(async () => {
    await outsider.close();
    expect(await openSockets()).toBe(0);
    await server[Symbol.asyncDispose]();
  });

  async function attach(): Promise<void> {
    outsider = await connect({ servers: server.url });
    bucket = await new Kvm(outsider).create("gen_api", { history: 1, allow_direct: false });
  }

  const open = (name: string, clock = systemClock) => new SharingGateway(name, { servers: server.url }, clock);

  /** The number of the bucket's last change: it grows with every write. */
  async function lastChange(): Promise<number> {
    const manager = await jetstreamManager(outsider);
    return (await manager.streams.info("KV_gen_api")).state.last_seq;
  }

  async function keys(): Promise<string[]> {
    const manager = await jetstreamManager(outsider);
    const { state } = await manager.streams.info("KV_gen_api", { subjects_filter: "$KV.gen_api.>" });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice("$KV.gen_api.".length));
  }

  test("tell each other of every push, and of each that is taken back", async () => {
    using first = open("gateway@1");
    using second = open("gateway@2");
    const push = { ...pushOf("users@b"), pull: { module: "m", function: "f", args: [1, { a: null }] } };
    first.pushes.put(push);
    await second.has("users@b", "1.0.0");
    expect(second.present.get("users@b")).toEqual(push);
    await first.has("users@b", "1.0.0");
    second.pushes.put(pushOf("users@b", "2.0.0"));
    await first.has("users@b", "2.0.0");
    first.pushes.remove("users", "users@b");
    await until(() => second.present.size === 0 && first.present.size === 0);
    expect(second.told).toEqual(["shared users@b 1.0.0", "shared users@b 2.0.0", "removed users users@b"]);
    expect([...first.refusals, ...second.refusals]).toEqual([]);
  });

  test("are told, when they start, what is there", async () => {
    {
      using first = open("gateway@1");
      for (let node = 0; node < 50; node += 1) first.pushes.put(pushOf(`users@${node}`));
      first.pushes.put(pushOf("gone@b"));
      await until(() => first.present.size === 51);
      first.pushes.remove("users", "gone@b");
      await until(() => first.present.size === 50);
    }
    using second = open("gateway@2");
    await until(() => second.present.size === 50);
    expect(second.told.filter((text) => text.startsWith("shared"))).toHaveLength(50);
  });

  test("share a push that is larger than a message, and remove its parts when it changes", async () => {
    using first = open("gateway@1");
    using second = open("gateway@2");
    const large = pushOf("users@b", "1.0.0", 30_000);
    first.pushes.put(large);
    await second.has("users@b", "1.0.0");
    expect(second.present.get("users@b")).toEqual(large);
    expect((await keys()).length).toBeGreaterThan(6);
    second.pushes.put(pushOf("users@b", "1.0.1"));
    await first.has("users@b", "1.0.1");
    await until(async () => (await keys()).length <= 2);
    second.pushes.remove("users", "users@b");
    await until(() => first.present.size === 0);
    await until(async () => (await keys()).length <= 1);
  });

  test("write nothing when exactly the same push is there already", async () => {
    using first = open("gateway@1");
    using second = open("gateway@2");
    first.pushes.put(pushOf("users@b"));
    await second.has("users@b", "1.0.0");
    const before = await lastChange();
    second.pushes.put(pushOf("users@b"));
    first.pushes.put(pushOf("users@b"));
    // Keys are written one after the other: when this one is there, the others have been seen to.
    first.pushes.put(pushOf("users@c"));
    second.pushes.put(pushOf("users@d"));
    await Promise.all([second.has("users@c", "1.0.0"), first.has("users@d", "1.0.0")]);
    expect((await lastChange()) - before).toBe(4);
  });

  test("agree when they put different pushes of one node at the same time", async () => {
    using first = open("gateway@1");
    using second = open("gateway@2");
    first.pushes.put(pushOf("ready@a"));
    second.pushes.put(pushOf("ready@b"));
    await until(() => first.present.size === 2 && second.present.size === 2);
    for (let round = 0; round < 20; round += 1) {
      first.pushes.put(pushOf("users@b", `first ${round}`));
      second.pushes.put(pushOf("users@b", `second ${round}`));
      const last = (gateway: SharingGateway) => gateway.present.get("users@b")?.configVersion ?? "";
      await until(() => last(first).endsWith(` ${round}`) && last(first) === last(second));
    }
    expect([...first.refusals, ...second.refusals]).toEqual([]);
  });

  test("survive that the server is killed: nothing is lost, and changes come through again", async () => {
    using first = open("gateway@1");
    using second = open("gateway@2");
    first.pushes.put(pushOf("users@b"));
    await second.has("users@b", "1.0.0");
    const before = await lastChange();
    await outsider.close();
    await server.signal("SIGKILL");
    first.pushes.put(pushOf("users@c", "put while it was down"));
    await server.restart();
    await second.has("users@c", "put while it was down");
    second.pushes.put(pushOf("users@b", "2.0.0"));
    await first.has("users@b", "2.0.0");
    await attach();
    expect((await lastChange()) - before).toBe(4);
    using third = open("gateway@3");
    await until(() => third.present.size === 2);
    // What they knew already they were not told again.
    expect(second.told).toEqual([
      "shared users@b 1.0.0",
      "shared users@c put while it was down",
      "shared users@b 2.0.0",
    ]);
  });

  test("put again what they had put when the bucket is lost", async () => {
    using first = open("gateway@1");
    first.pushes.put(pushOf("users@b"));
    await first.has("users@b", "1.0.0");
    await (await jetstreamManager(outsider)).streams.delete("KV_gen_api");
    // The next connection finds it missing.
    await outsider.close();
    await server.signal("SIGKILL");
    await server.restart();
    using second = open("gateway@2");
    await second.has("users@b", "1.0.0");
    await attach();
  });

  test("make the bucket again, and fill it, when it is deleted while they are connected", async () => {
    // Five seconds, after which they look whether it is there, take a tenth of a second.
    const setTimeout = (run: () => void, ms: number) => systemClock.setTimeout(run, ms === 5_000 ? 100 : ms);
    const hurried = { ...systemClock, setTimeout };
    using first = open("gateway@1", hurried);
    using second = open("gateway@2", hurried);
    first.pushes.put(pushOf("users@b"));
    await second.has("users@b", "1.0.0");
    const { streams } = await jetstreamManager(outsider);
    await streams.delete("KV_gen_api");
    // Nobody writes anything: that it is gone is noticed without.
    await until(() => first.told.includes("unread: stream not found"));
    await until(async () => (await keys().catch(() => [])).length === 2);
    using third = open("gateway@3");
    await third.has("users@b", "1.0.0");
    const reads = first.reads;
    await streams.delete("KV_gen_api");
    // Made anew by somebody before anybody looked.
    await new Kvm(outsider).create("gen_api", { history: 1, allow_direct: false });
    await until(async () => (await keys()).length === 2);
    await until(() => first.reads > reads);
    first.pushes.put(pushOf("users@c"));
    await Promise.all([second.has("users@c", "1.0.0"), third.has("users@c", "1.0.0")]);
  });

  test("keep nothing, after a day, of what was taken back", async () => {
    using first = open("gateway@1");
    first.pushes.put(pushOf("users@b"));
    await first.has("users@b", "1.0.0");
    first.pushes.remove("users", "users@b");
    await until(() => first.present.size === 0);
    await until(async () => (await keys()).length <= 1);
    expect(await keys()).toEqual([entryKey("users", "users@b")]);
    const setTimeout = (run: () => void, ms: number) => systemClock.setTimeout(run, ms === 60_000 ? 100 : ms);
    const systemTime = () => Date.now() + 25 * 60 * 60 * 1_000;
    using second = open("gateway@2", { ...systemClock, setTimeout, systemTime });
    await until(async () => (await keys()).length <= 0);
    expect(second.told).toEqual(["removed users users@b"]);
  });

  test("count what is there against maxEntries, not what was taken back, and say which option it is", async () => {
    const options = { servers: server.url, maxEntries: 3 };
    using first = new SharingGateway("gateway@1", options);
    using second = new SharingGateway("gateway@2", options);
    for (let node = 0; node < 10; node += 1) {
      first.pushes.put(pushOf(`users@${node}`));
      await Promise.all([first, second].map((gateway) => gateway.has(`users@${node}`, "1.0.0")));
      expect(await first.pushes.remove("users", `users@${node}`)).toBe(true);
      await until(() => first.present.size + second.present.size === 0);
    }
    for (const node of ["a", "b", "c"]) first.pushes.put(pushOf(node));
    await until(() => second.present.size === 3);
    using errors = recordEvents("node.transport.error");
    first.pushes.put(pushOf("d"));
    const error = { message: expect.stringContaining("More than 3 pushes, as many as the option maxEntries allows") };
    expect(errors.messages.map(({ metadata }) => metadata)).toMatchObject([{ error }]);
    second.pushes.put(pushOf("d"));
    await until(() => first.refusals.length > 0);
    expect(first.refusals).toEqual([
      {
        key: entryKey("users", "d"),
        problem: "there are more than 3 entries, as many as the option maxEntries allows",
      },
    ]);
    // Of those that were taken back as many are remembered. A minute, after which it looks, takes a tenth of a second.
    const setTimeout = (run: () => void, ms: number) => systemClock.setTimeout(run, ms === 60_000 ? 100 : ms);
    using third = new SharingGateway("gateway@3", options, { ...systemClock, setTimeout });
    await until(async () => (await keys()).filter((key) => key.startsWith("entry.")).length === 7);
    expect(third.present.size).toBe(3);
  });

  test("take back what they know to be there, and nothing else", async () => {
    using first = open("gateway@1");
    first.pushes.put(pushOf("users@b"));
    await first.has("users@b", "1.0.0");
    // A gateway that has not read the bucket knows of nothing there.
    const blind = nats({ servers: server.url, signingKey }).openGateway(new RecordingScope("blind"));
    blind.sharedPushes?.put(pushOf("users@c"));
    await first.has("users@c", "1.0.0");
    expect(await blind.sharedPushes?.remove("users", "users@b")).toBe(false);
    expect(first.present.size).toBe(2);
    blind.close();
    expect(await first.pushes.remove("users", "users@b")).toBe(true);
    await until(() => first.present.size === 1);
    // That it is gone already is fine too.
    expect(await first.pushes.remove("users", "users@b")).toBe(true);
  });

  test("do not take back later what they were to take back when the connection was lost", async () => {
    using first = open("gateway@1");
    first.pushes.put(pushOf("users@b"));
    await first.has("users@b", "1.0.0");
    await outsider.close();
    const lost = first.scope.nextCutOff();
    await server.signal("SIGSTOP");
    const removal = first.pushes.remove("users", "users@b");
    await lost;
    await server.signal("SIGKILL");
    expect(await removal).toBe(false);
    expect(await first.pushes.remove("users", "users@b")).toBe(false);
    await server.restart();
    await attach();
    using second = open("gateway@2");
    await second.has("users@b", "1.0.0");
  });

  test("renew what they stand for, once for all of them, and tell of what nobody has renewed for a day", async () => {
    // A minute, after which everything is read again, takes a tenth of a second.
    const setTimeout = (run: () => void, ms: number) => systemClock.setTimeout(run, ms === 60_000 ? 100 : ms);
    const at = (hours: number) => ({
      ...systemClock,
      setTimeout,
      systemTime: () => Date.now() + hours * 60 * 60 * 1_000,
    });
    {
      using gone = open("gone", at(0));
      gone.pushes.put(pushOf("orphan"));
      await gone.has("orphan", "1.0.0");
    }
    let hours = 0;
    const clock = { ...at(0), systemTime: () => at(hours).systemTime() };
    using first = open("gateway@1", clock);
    using second = open("gateway@2", clock);
    for (const gateway of [first, second]) gateway.pushes.put(pushOf("users@b"));
    await Promise.all([first.has("users@b", "1.0.0"), second.has("users@b", "1.0.0")]);
    const before = await lastChange();
    hours = 7;
    // A part and the entry; the other may have written the part too before it saw that.
    await until(async () => (await lastChange()) >= before + 2);
    hours = 25;
    const orphaned = (gateway: SharingGateway) => gateway.told.includes("orphaned users orphan");
    await until(() => orphaned(first) && orphaned(second));
    await until(async () => (await lastChange()) >= before + 4);
    expect(await lastChange()).toBeLessThanOrEqual(before + 6);
    for (const { told } of [first, second]) expect(told).not.toContain("orphaned users users@b");
    expect(await second.pushes.remove("users", "orphan")).toBe(true);
    await until(() => !first.present.has("orphan"));
    expect([...first.present.keys()]).toEqual(["users@b"]);
  });

  test("tell when all that was there has been told: at once where there is nothing", async () => {
    using first = open("gateway@1");
    await until(() => first.reads === 1);
    for (let node = 0; node < 50; node += 1) first.pushes.put(pushOf(`users@${node}`));
    await until(() => first.present.size === 50);
    using second = open("gateway@2");
    await until(() => second.reads > 0);
    expect(second.present.size).toBe(50);
  });

  test("tell a receiver that comes later everything", async () => {
    using first = open("gateway@1");
    first.pushes.put(pushOf("users@b"));
    await first.has("users@b", "1.0.0");
    first.present.clear();
    first.pushes.watch(first);
    await first.has("users@b", "1.0.0");
  });

  test("say so, and serve nodes all the same, where the server has no JetStream", async () => {
    await using plain = await NatsServer.start({ jetStream: false });
    using errors = recordEvents("node.transport.error");
    using first = new SharingGateway("gateway@1", { servers: plain.url });
    first.pushes.put(pushOf("users@b"));
    await until(() => errors.messages.length > 1);
    const error = expect.objectContaining({ message: "jetstream is not enabled" });
    expect(errors.messages[0]?.metadata).toEqual({
      transport: "nats",
      program: "gateway@1",
      servers: [plain.url],
      error,
    });
    expect(first.scope.failures).toEqual([]);
  });

  describe("whose signing key is changed while they run", () => {
    const [old, next] = ["the old secret ".repeat(3), "the next secret ".repeat(3)];
    const withKeys = (name: string, ...keys: string[]) =>
      new SharingGateway(name, { servers: server.url, signingKey: keys });

    test("believe each other at every step, and overwrite nothing", async () => {
      using first = withKeys("gateway@1", old);
      first.pushes.put(pushOf("users@b"));
      await first.has("users@b", "1.0.0");
      // The next key is known to all before one signs with it.
      using second = withKeys("gateway@2", old, next);
      using third = withKeys("gateway@3", next, old);
      await Promise.all([second.has("users@b", "1.0.0"), third.has("users@b", "1.0.0")]);
      const before = await lastChange();
      for (const gateway of [second, third]) gateway.pushes.put(pushOf("users@b"));
      third.pushes.put(pushOf("users@c"));
      await second.has("users@c", "1.0.0");
      second.pushes.put(pushOf("users@d"));
      await third.has("users@d", "1.0.0");
      // What the others signed is not signed again.
      expect((await lastChange()) - before).toBe(4);
      expect([...second.refusals, ...third.refusals]).toEqual([]);
      // The first, which was not told of the next key, does not believe what is signed with it.
      expect(first.refusals.map(({ key }) => key)).toEqual([entryKey("users", "users@c")]);
    });

    test("put again what only the old one signed, when its node pushes it again", async () => {
      using second = withKeys("gateway@2", next, old);
      {
        using first = withKeys("gateway@1", old);
        first.pushes.put(pushOf("users@b"));
        await second.has("users@b", "1.0.0");
      }
      using third = withKeys("gateway@3", next);
      await until(() => third.refusals.length > 0);
      third.pushes.put(pushOf("users@b"));
      await third.has("users@b", "1.0.0");
      expect(second.refusals).toEqual([]);
    });
  });

  describe("that do not believe each other", () => {
    const key = entryKey("users", "users@b");

    /** Resolves when both have done all that they want to do now. */
    async function settled(...gateways: SharingGateway[]): Promise<void> {
      // Twice, because what the first did the other may answer.
      for (let round = 0; round < 2; round += 1) {
        for (const gateway of gateways) {
          const probe = `probe ${Math.random()}`;
          gateway.pushes.put(pushOf(`${gateway.scope.name} probe`, probe));
          await gateway.has(`${gateway.scope.name} probe`, probe);
        }
      }
    }
    /** How often the entry was written, by its revision's distance, the probes apart. */
    async function writesOf(gateways: SharingGateway[], act: () => void | Promise<void>): Promise<number> {
      const seen = new Set<number>();
      const watch = await bucket.watch({ key, include: "updates" as never });
      (async () => {
        for await (const { revision } of watch) seen.add(revision);
      })();
      await act();
      await settled(...gateways);
      watch.stop();
      return seen.size;
    }

    test("overwrite each other's entry once, then ever more slowly", async () => {
      const clock = new SimulatedClock();
      using first = new SharingGateway("gateway@1", { servers: server.url, signingKey: "a".repeat(32) }, clock);
      using second = new SharingGateway("gateway@2", { servers: server.url, signingKey: "b".repeat(32) }, clock);
      const both = [first, second];
      await settled(...both);
      const atFirst = await writesOf(both, () => {
        for (const gateway of both) gateway.pushes.put(pushOf("users@b"));
      });
      expect(atFirst).toBeGreaterThanOrEqual(2);
      expect(atFirst).toBeLessThanOrEqual(4);
      expect(await writesOf(both, () => undefined)).toBe(0);
      let later = 0;
      // Ten minutes.
      const steps = [...Array<number>(12).fill(5_000), ...Array<number>(18).fill(30_000)];
      for (const ms of steps) later += await writesOf(both, () => clock.advance(ms));
      expect(later).toBeGreaterThan(5);
      // After 1, 2, 4, … seconds, half or one and a half times.
      expect(later).toBeLessThanOrEqual(24);
      for (const { refusals } of both) expect(refusals.length).toBeLessThanOrEqual(24);
    }, 120_000);

    const spoils: [what: string, spoil: () => Uint8Array][] = [
      ["nonsense", () => Buffer.from("nonsense")],
      ["entries of an unknown version", () => unknownVersion(key)],
    ];
    for (const [what, spoil] of spoils) {
      test(`repair once what somebody overwrites with ${what} again and again, and tell it once`, async () => {
        const clock = new SimulatedClock();
        using first = open("gateway@1", clock);
        first.pushes.put(pushOf("users@b"));
        await first.has("users@b", "1.0.0");
        let spoilt = 0;
        const watch = await bucket.watch({ key });
        (async () => {
          // Each repair is answered at once.
          for await (const { value } of watch) {
            if (Buffer.from(value).equals(spoil())) continue;
            spoilt += 1;
            await bucket.put(key, spoil());
          }
        })();
        await until(() => spoilt === 2);
        await settled(first);
        expect(spoilt).toBe(2);
        expect(first.refusals.filter((refusal) => refusal.key === key)).toHaveLength(1);
        clock.advance(2_000);
        await until(() => spoilt === 3);
        await settled(first);
        expect([spoilt, first.refusals.length]).toEqual([3, 1]);
        watch.stop();
      });
    }

    test("tell of a flood of nonsense a hundred a minute", async () => {
      const clock = new SimulatedClock();
      using first = open("gateway@1", clock);
      await settled(first);
      for (let index = 0; index < 150; index += 1) await bucket.put(`entry.x.${index}.y`, "nonsense");
      await settled(first);
      expect(first.refusals).toHaveLength(100);
      // A minute later everything is read again.
      clock.advance(60_000);
      await until(() => first.refusals.length === 150);
      expect(new Set(first.refusals.map((refusal) => refusal.key)).size).toBe(150);
    });
  });

  describe("do not believe", () => {
    const key = entryKey("users", "users@b");

    /** Two gateways that share one push; `first` put it. */
    async function sharing() {
      const first = open("gateway@1");
      const second = open("gateway@2");
      first.pushes.put(pushOf("users@b"));
      await second.has("users@b", "1.0.0");
      await first.has("users@b", "1.0.0");
      return {
        first,
        second,
        [Symbol.dispose]() {
          first[Symbol.dispose]();
          second[Symbol.dispose]();
        },
      };
    }

    const forgeries: [what: string, forge: () => Uint8Array | Promise<Uint8Array>][] = [
      ["an unsigned entry", () => Buffer.from(JSON.stringify({ stamp: Date.now(), digest: null, parts: [] }))],
      ["nothing at all", () => new Uint8Array(0)],
      ["bytes that are no text", () => Buffer.from([0xff, 0xfe, 0, 10, 0xff])],
      [
        "an entry that is signed with another key",
        () => new EntrySigner(["x".repeat(40)], "gen_api").sign(key, { stamp: Date.now(), digest: null, parts: [] }),
      ],
      [
        "an entry of another key",
        () => signer.sign(entryKey("users", "users@c"), { stamp: Date.now(), digest: null, parts: [] }),
      ],
      [
        "an entry of another bucket",
        () => new EntrySigner([signingKey], "other").sign(key, { stamp: Date.now(), digest: null, parts: [] }),
      ],
      [
        "an entry with a later stamp and an earlier signature",
        async () => {
          const text = Buffer.from((await bucket.get(key))?.value ?? "").toString();
          return Buffer.from(text.replace(/"stamp":\d+/, `"stamp":${Date.now() + 60_000}`));
        },
      ],
    ];
    for (const [what, forge] of forgeries) {
      test(`${what}, and put back what was there`, async () => {
        using pair = await sharing();
        await bucket.put(key, await forge());
        await until(() => pair.first.refusals.length > 0 && pair.second.refusals.length > 0);
        expect(pair.second.refusals).toEqual([
          { key, problem: "it does not carry the signature of a gateway for this key" },
        ]);
        using third = open("gateway@3");
        await third.has("users@b", "1.0.0");
        expect(pair.second.told).toEqual(["shared users@b 1.0.0"]);
      });
    }

    test("an older entry that is put back, though a gateway did sign it, and put back the newer one", async () => {
      using pair = await sharing();
      const old = (await bucket.get(key))?.value as Uint8Array;
      pair.second.pushes.put(pushOf("users@b", "2.0.0"));
      await pair.first.has("users@b", "2.0.0");
      await bucket.put(key, old);
      await until(() => pair.first.refusals.length > 0);
      expect(pair.first.refusals[0]?.problem).toBe("it is older than one that was there before");
      using third = open("gateway@3");
      await third.has("users@b", "2.0.0");
      expect(pair.first.present.get("users@b")?.configVersion).toBe("2.0.0");
    });

    test("a push that comes back after it was taken back", async () => {
      using pair = await sharing();
      const old = (await bucket.get(key))?.value as Uint8Array;
      pair.first.pushes.remove("users", "users@b");
      await until(() => pair.second.present.size === 0);
      await bucket.put(key, old);
      await until(() => pair.second.refusals.length > 0);
      expect(pair.second.present.size).toBe(0);
    });

    test("a deletion without a signature, and put back what was there", async () => {
      using pair = await sharing();
      await bucket.purge(key);
      await until(() => pair.second.refusals.length > 0);
      expect(pair.second.refusals[0]).toEqual({ key, problem: "it was deleted unsigned" });
      using third = open("gateway@3");
      await third.has("users@b", "1.0.0");
      expect(pair.second.present.size).toBe(1);
    });

    test("parts that were changed, or are missing", async () => {
      const content = contentOf(pushOf("users@b"), 100_000);
      const entry = entryOf(content, 1_000);
      await bucket.put(partKey(key, entry, 0), Buffer.from("{}"));
      await bucket.put(key, signer.sign(key, entry));
      const other = entryKey("users", "users@c");
      await bucket.put(other, signer.sign(other, entryOf(contentOf(pushOf("users@c"), 100_000), 1_000)));
      using first = open("gateway@1");
      await until(() => first.refusals.length === 2);
      expect(first.refusals).toEqual([
        { key, problem: "part 0 is not what the entry was signed for" },
        { key: other, problem: "part 0 of it is missing" },
      ]);
    });

    test("a push under the key of another node, even signed", async () => {
      const content = contentOf(pushOf("users@other"), 100_000);
      const entry = entryOf(content, 1_000);
      await bucket.put(partKey(key, entry, 0), content.parts[0] as Uint8Array);
      await bucket.put(key, signer.sign(key, entry));
      using first = open("gateway@1");
      await until(() => first.refusals.length > 0);
      expect(first.refusals[0]).toEqual({ key, problem: "it belongs to another service or node" });
    });

    test("keys that name no service and node; a flood of them is told once each and kept by nobody", async () => {
      using first = open("gateway@1");
      first.pushes.put(pushOf("users@b"));
      await first.has("users@b", "1.0.0");
      for (let index = 0; index < 50; index += 1) await bucket.put(`entry.x.${index}.y`, "nonsense");
      await until(() => first.refusals.length === 50);
      expect(first.refusals[0]).toEqual({ key: "entry.x.0.y", problem: "its key names no service and node" });
      expect(first.present.size).toBe(1);
    });
  });
});
