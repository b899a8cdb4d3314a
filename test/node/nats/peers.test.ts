import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nats } from "../../../src/node/nats/nats.ts";
import type { GatewayEndpoint } from "../../../src/node/node-transport.ts";
import type { PeerEnd, PeerPipe, PeerReceiver, Peers } from "../../../src/node/peers/peers.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { until } from "../../support/until.ts";
import { RecordingScope } from "./recording-scope.ts";

/** One end of a pipe between gateways that keeps what it hears, and answers nothing. */
class Hearing implements PeerReceiver {
  readonly heard: string[] = [];
  readonly ends: PeerEnd[] = [];
  isOpen = false;

  opened(): void {
    this.isOpen = true;
  }

  received(text: string): void {
    this.heard.push(text);
  }

  closed(end: PeerEnd): void {
    this.ends.push(end);
  }
}

/** A gateway as others reach it. */
class Peer implements Disposable {
  readonly address: string;
  /** The pipes that others have opened. */
  readonly pipes: { readonly pipe: PeerPipe; readonly hearing: Hearing }[] = [];
  readonly endpoint: GatewayEndpoint;

  constructor(name: string, options: Parameters<typeof nats>[0]) {
    this.address = `${name}-${Math.random().toString(36).slice(2)}`.padEnd(22, "x").slice(0, 22);
    const peer = {
      address: this.address,
      accepted: (pipe: PeerPipe) => {
        const hearing = new Hearing();
        this.pipes.push({ pipe, hearing });
        return hearing;
      },
    };
    this.endpoint = nats(options).openGateway(Object.assign(new RecordingScope(name), { peer }));
  }

  get peers(): Peers {
    return this.endpoint.peers as Peers;
  }

  /** Resolves with a pipe that is open. */
  async dial(other: Peer): Promise<{ pipe: PeerPipe; hearing: Hearing }> {
    for (;;) {
      const hearing = new Hearing();
      const pipe = this.peers.dial(other.address, hearing);
      await until(() => hearing.isOpen || hearing.ends.length > 0);
      if (hearing.isOpen) return { pipe, hearing };
    }
  }

  /** As `Peers.claim`, as soon as there is a connection. */
  async claim(key: string, revision = 0) {
    for (;;) {
      const claim = await this.peers.claim(key, revision).catch(() => null);
      if (claim !== null) return claim;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  [Symbol.dispose](): void {
    this.endpoint.close();
  }
}

const signingKey = "k".repeat(32);

let server: NatsServer;
let stranger: NatsConnection;
const open: Peer[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  stranger = await connect({ servers: server.url });
});
afterEach(async () => {
  for (const peer of open.splice(0)) peer[Symbol.dispose]();
  await stranger.close();
});

function start(name: string, key: string | string[] = signingKey): Peer {
  const peer = new Peer(name, { servers: server.url, signingKey: key });
  open.push(peer);
  return peer;
}

describe("gateways", () => {
  test("tell each other texts of any length, in order, both ways", async () => {
    const [one, other] = [start("a"), start("b")];
    const { pipe, hearing } = await one.dial(other);
    const texts = ["short", "ü\u{1f600}".repeat(500_000), "last"];
    for (const text of texts) pipe.send(text);
    const accepted = other.pipes.at(-1);
    await until(() => accepted?.hearing.heard.length === 3);
    expect(accepted?.hearing.heard).toEqual(texts);
    for (const text of texts) accepted?.pipe.send(text);
    await until(() => hearing.heard.length === 3);
    expect(hearing.heard).toEqual(texts);
  });

  test("understand each other while one has the old key first and the other the new one", async () => {
    const [one, other] = [start("a", ["o".repeat(32), "n".repeat(32)]), start("b", ["n".repeat(32), "o".repeat(32)])];
    const { pipe } = await one.dial(other);
    pipe.send("hello");
    await until(() => other.pipes[0]?.hearing.heard[0] === "hello");
    const { revision } = await one.claim("rotated");
    expect(await other.claim("rotated")).toEqual({ owner: one.address, revision });
  });

  test("know which one is not there, which has stopped for good, and that they are cut off themselves", async () => {
    const [one, other] = [start("a"), start("b")];
    await one.dial(other);
    const absent = new Hearing();
    one.peers.dial("x".repeat(22), absent);
    await until(() => absent.ends.length === 1);
    expect(absent.ends[0]?.other).toBe("absent");
    const { hearing } = await one.dial(other);
    other.peers.leave();
    await until(() => hearing.ends.length === 1);
    expect(hearing.ends[0]?.other).toBe("gone");
    const third = start("c");
    const { hearing: cut } = await one.dial(third);
    one.endpoint.close();
    await until(() => cut.ends.length === 1);
    expect(cut.ends[0]?.other).toBe("unknown");
    const after = new Hearing();
    one.peers.dial(third.address, after);
    await until(() => after.ends.length === 1);
    expect(after.ends[0]?.other).toBe("unknown");
  });

  test("claim a key one after the other: one has it, until another replaces just that claim", async () => {
    const [one, other] = [start("a"), start("b")];
    const first = await one.claim("key");
    expect(first.owner).toBe(one.address);
    expect(await other.claim("key")).toEqual(first);
    expect(await other.claim("key", first.revision + 100)).toEqual(first);
    const second = await other.claim("key", first.revision);
    expect(second.owner).toBe(other.address);
    // What it knew is old.
    expect(await one.claim("key", first.revision)).toEqual(second);
    const claims = await Promise.all(["key-2", "key-2"].flatMap((key) => [one.claim(key), other.claim(key)]));
    expect(new Set(claims.map(({ owner }) => owner)).size).toBe(1);
  });
});

describe("whoever does not have the key, though NATS lets him do everything,", () => {
  test("opens no pipe to a gateway, and a gateway opens none to him", async () => {
    const [one, other] = [start("a"), start("b", "w".repeat(32))];
    const hearing = new Hearing();
    stranger.publish(`gen_api.peers.${one.address}.open`, "x", { reply: "spy" });
    const pipe = one.peers.dial(other.address, hearing);
    pipe.send("secret");
    await until(() => hearing.ends.length === 1);
    expect(hearing.isOpen).toBe(false);
    expect(one.pipes).toEqual([]);
    expect(other.pipes.flatMap(({ hearing: { heard } }) => heard)).toEqual([]);
  });

  test("can say nothing in a pipe, nor say again what a gateway said, there or in a pipe of his own", async () => {
    const [one, other] = [start("a"), start("b")];
    const said: { subject: string; data: Uint8Array; reply: string }[] = [];
    stranger.subscribe("gen_api.peers.>", {
      callback: (_error, { subject, data, reply }) => {
        said.push({ subject, data: Uint8Array.from(data), reply: reply ?? "" });
      },
    });
    await stranger.flush();
    const { pipe } = await one.dial(other);
    pipe.send("pay");
    const accepted = other.pipes.at(-1);
    await until(() => accepted?.hearing.heard.length === 1);
    const of = (end: string) => said.filter(({ subject }) => subject.startsWith(`gen_api.peers.${end}.`));
    await until(() => of(other.address).length >= 2);
    const [opening, ...messages] = of(other.address);
    if (opening === undefined) throw new Error("no pipe was opened");
    // Again, and forged, in the same pipe: it ends, and is heard once.
    const again = messages.at(-1) as (typeof said)[number];
    stranger.publish(again.subject, again.data, { reply: again.reply.replace(/\d+$/, String(messages.length)) });
    await until(() => (accepted?.hearing.ends.length ?? 0) === 1);
    expect(accepted?.hearing.heard).toEqual(["pay"]);
    // The whole of it once more, as if the other gateway had come again.
    const before = other.pipes.length;
    stranger.publish(opening.subject, opening.data, { reply: opening.reply });
    await until(() => other.pipes.length === before + 1);
    for (const { subject, data, reply } of messages) stranger.publish(subject, data, { reply });
    const replayed = other.pipes.at(-1);
    await until(() => (replayed?.hearing.ends.length ?? 0) === 1);
    expect(replayed?.hearing.heard).toEqual([]);
  });

  test("has no claim, and cannot say that a gateway has stopped", async () => {
    const [one, other, third] = [start("a"), start("b"), start("c")];
    const { owner, revision } = await one.claim("mine");
    // As a claim of the other gateway's, of another key: the signature covers the key.
    const stolen = await other.claim("another");
    expect(stolen.owner).toBe(other.address);
    const read = await stranger.request(
      "$JS.API.STREAM.MSG.GET.KV_gen_api--claims",
      JSON.stringify({ last_by_subj: "$KV.gen_api--claims.another" }),
    );
    const { message } = read.json<{ message: { data: string } }>();
    for (const forged of [Buffer.from(message.data, "base64"), Buffer.from(other.address)]) {
      await stranger.request("$KV.gen_api--claims.mine", forged);
      const claim = await third.claim("mine");
      expect(claim.owner).toBe(third.address);
      await one.claim("mine", claim.revision);
    }
    expect([owner, revision > 0]).toEqual([one.address, true]);
    const { hearing } = await one.dial(third);
    stranger.publish("gen_api.peers.gone", third.address);
    await stranger.flush();
    third.endpoint.close();
    await until(() => hearing.ends.length === 1);
    expect(hearing.ends[0]?.other).not.toBe("gone");
  });
});
