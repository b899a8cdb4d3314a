import { connect as tcp } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closeCode, frame, upgraded } from "../support/network/hand-made-frames.ts";
import { listenTo, openGateway } from "./open-gateway.ts";

describe("a hostile client ends nothing but its own socket:", () => {
  it("a message in too many fragments", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.url);
    const fragments = Array.from({ length: 2_000 }, (_, n) => frame(n === 0 ? 1 : 0, Buffer.from("x"), false));
    socket.write(Buffer.concat(fragments));
    expect(await closeCode(socket)).toBe(1008);
    await (await gateway.joined()).settled();
  });

  it("a message byte by byte is just slow", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.url);
    socket.setNoDelay(true);
    const bytes = frame(1, Buffer.from('[null,"1","phoenix","heartbeat",{}]'));
    const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answer).toContain('"phx_reply"');
    socket.destroy();
  });

  it("a frame that is not masked, or of no known kind", async () => {
    await using gateway = await openGateway();
    for (const bytes of [
      Buffer.from([0x81, 1, 0x78]),
      Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
      Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
    ]) {
      const socket = await upgraded(gateway.url);
      socket.write(bytes);
      expect(await closeCode(socket)).toBe(1002);
    }
  });

  it("pings without end, never reading", async () => {
    const frameLimit = { perSecond: 10_000, burst: 10_000, closeAfterMs: 200 };
    await using gateway = await openGateway({ closeTimeoutMs: 100, frameLimit });
    using closed = listenTo("connection.close");
    using throttled = listenTo("connection.throttle");
    const socket = await upgraded(gateway.url);
    socket.pause();
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(9, Buffer.alloc(100))));
    const flood = setInterval(() => socket.write(pings), 1);
    await expect.poll(() => closed.messages.length).toBe(1);
    clearInterval(flood);
    expect(closed.messages[0]?.metadata).toMatchObject({ code: 1008, reason: "too many messages" });
    expect(throttled.messages.map(({ metadata }) => metadata.connection)).toEqual(["connection_1"]);
    socket.destroy();
  });

  it("an upgrade that is never finished", async () => {
    await using gateway = await openGateway({ upgradeTimeoutMs: 200 });
    const { port } = new URL(gateway.url);
    const socket = tcp(Number(port), "127.0.0.1");
    socket.write("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\n");
    const answer = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    expect(answer).toContain("408 Request Timeout");
    socket.destroy();
  });

  it("a client that goes while connect is under way", async () => {
    let letIn: (assigns: object) => void = () => undefined;
    using refusals = listenTo("connection.refuse");
    await using gateway = await openGateway({
      maxConnections: 1,
      connect: ({ params }) =>
        params.slow
          ? new Promise((resolve) => {
              letIn = resolve as typeof letIn;
              socket.resetAndDestroy();
            })
          : {},
    });
    const { port } = new URL(gateway.url);
    const socket = tcp(Number(port), "127.0.0.1");
    socket.write(
      "GET /socket/websocket?vsn=2.0.0&slow=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await expect.poll(() => refusals.messages.length).toBe(1);
    letIn({});
    expect(gateway.table.size).toBe(0);
    await gateway.connect();
  });

  it("headers beyond all measure", async () => {
    await using gateway = await openGateway();
    const protocols = [`base64url.bearer.phx.${"x".repeat(20_000)}`];
    await expect(gateway.connect("vsn=2.0.0", { protocols })).rejects.toMatchObject({ status: 431 });
    await expect(gateway.connect(`vsn=2.0.0&a=${"x".repeat(20_000)}`)).rejects.toMatchObject({ status: 431 });
  });

  it("joins and leaves without end leave nothing behind", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    for (let n = 0; n < 2_000; n++) {
      client.send([`${n}`, `${n}`, "api:a", "phx_join", {}]);
      if (n % 2 === 0) client.send([`${n}`, `l${n}`, "api:a", "phx_leave", {}]);
    }
    await client.settled();
    client.send(["1999", "end", "api:a", "phx_leave", {}]);
    await client.reply("end");
    await client.settled();
    expect(await client.join("api:b", "b")).toEqual({ status: "ok", response: {} });
  });
});

describe("any name does for a topic, an event, a ref:", () => {
  const names = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "\ud800",
    "",
    "\u0000",
    "1",
    '"',
  ];

  it("a topic is joined, used and left", async () => {
    await using gateway = await openGateway({ channels: [{ topic: "*", event: "api" }] });
    const client = await gateway.connect();
    for (const topic of names) {
      expect(await client.join(topic, topic)).toEqual({ status: "ok", response: {} });
      client.send([topic, 5, topic, "api", { x: 1 }]);
      expect(await client.next()).toEqual([topic, null, topic, "api", { x: 1 }]);
      expect((await client.next())[1]).toBe(5);
    }
    for (const topic of names) {
      client.send([topic, "leave", topic, "phx_leave", {}]);
      await client.reply("leave");
    }
  });

  it("an event of that name is unknown, if not the channel's own", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    for (const event of names) {
      await client.join("api:a", event);
      client.send([event, "2", "api:a", event, {}]);
      expect((await client.next())[3]).toBe("phx_error");
    }
    for (const event of names) {
      await using named = await openGateway({ channels: [{ topic: "api:*", event }] });
      const other = await named.connect();
      await other.join("api:a");
      other.send(["1", "2", "api:a", event, { x: 1 }]);
      expect(await other.next()).toEqual(["1", null, "api:a", event, { x: 1 }]);
    }
  });

  it("JSON ten thousand deep, and numbers beyond all, reach the handler", async () => {
    await using gateway = await openGateway();
    gateway.handle = (_payload, _bytes, _caller, replyTo) => replyTo.reply("ok", "1");
    const client = await gateway.joined();
    client.send(`["1","2","api:a","api",${'{"a":['.repeat(5_000)}${"]}".repeat(5_000)}]`);
    expect((await client.reply("2"))[4]).toEqual({ status: "ok", response: 1 });
    client.send('["1","3","api:a","api",{"n":1e999,"m":-0,"l":123456789012345678901234567890}]');
    await client.reply("3");
  });
});

describe("any sequence of frames", () => {
  const topic = fc.constantFrom("api:a", "api:b", "other", "phoenix");
  const event = fc.constantFrom(
    "phx_join",
    "phx_leave",
    "api",
    "heartbeat",
    "cancel",
    "nonsense",
    "phx_close",
    "phx_reply",
  );
  const joinRef = fc.constantFrom(null, "1", "2", 3);
  const payload = fc.oneof(fc.constantFrom({}, null, [], "x", { request_id: "r" }), fc.jsonValue());
  const messages = fc.array(fc.tuple(joinRef, topic, event, payload), { maxLength: 40 });

  it("gets at most one reply for each ref, and the socket lives", async () => {
    await using gateway = await openGateway();
    await fc.assert(
      fc.asyncProperty(messages, async (sequence) => {
        const client = await gateway.connect();
        for (const [n, [join, ...rest]] of sequence.entries()) client.send([join, n, ...rest]);
        await client.settled();
        const replied = client.frames.filter(([, , , name]) => name === "phx_reply").map(([, ref]) => ref);
        expect(new Set(replied).size).toBe(replied.length);
        await client.close();
      }),
      { numRuns: 60 },
    );
    await expect.poll(() => gateway.table.size).toBe(0);
  });
});
