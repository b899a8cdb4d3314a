import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Socket, connect as tcp } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { closeGraceMs } from "../../../src/node/link/ws-pipe.ts";
import { until } from "../../support/until.ts";
import { type End, openGateway, openNode } from "./open-link.ts";

/** A gateway and a node with one link between them. */
async function linked(options: { maxMessageBytes?: number } = {}) {
  const gateway = await openGateway(options);
  const node = openNode({ gateways: [gateway.url] });
  const [atGateway, atNode] = await Promise.all([gateway.ends.next(), node.ends.next()]);
  return {
    gateway,
    node,
    atGateway,
    atNode,
    async [Symbol.asyncDispose]() {
      node.endpoint.close();
      await gateway[Symbol.asyncDispose]();
      expect([...node.failures, ...gateway.failures]).toEqual([]);
    },
  };
}

/** A socket that has asked for an upgrade by hand, for what no library would send. */
async function upgraded(port: number): Promise<Socket> {
  const socket = tcp(port, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  socket.write(
    "GET /node HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Protocol: gen-api.node.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await once(socket, "data");
  return socket;
}

/** A masked binary frame whose mask is zero. */
function frame(payload: Buffer, first = 0x82): Buffer {
  const size =
    payload.length < 126
      ? Buffer.from([first, 0x80 | payload.length])
      : Buffer.from([first, 0xff, 0, 0, 0, 0, 0, 0, payload.length >> 8, payload.length & 0xff]);
  if (payload.length >= 126) size.writeUInt32BE(payload.length, 6);
  return Buffer.concat([size, Buffer.alloc(4), payload]);
}

async function exchange(from: End, to: End, bytes: number): Promise<void> {
  const message = randomBytes(bytes);
  from.pipe.send(message);
  expect((await to.messages.next()).equals(message)).toBe(true);
}

describe("a pipe over a link", () => {
  it("carries messages of any length whole and in order, both ways, empty ones too", async () => {
    await using ends = await linked();
    ends.atGateway.isUp = true;
    ends.atNode.isUp = true;
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      await exchange(ends.atGateway, ends.atNode, bytes);
      await exchange(ends.atNode, ends.atGateway, bytes);
    }
    for (let n = 0; n < 5_000; n++) ends.atNode.pipe.send(Buffer.from([n >> 8, n & 0xff]));
    for (let n = 0; n < 5_000; n++) expect((await ends.atGateway.messages.next()).readUInt16BE()).toBe(n);
  });

  it("says that both ends are on one machine, and where the other one is", async () => {
    await using ends = await linked();
    expect(ends.atGateway.pipe).toMatchObject({ isLoopback: true, peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    expect(ends.atNode.pipe).toMatchObject({ isLoopback: true, peer: ends.gateway.url });
  });

  it.each(["gateway", "node"])("closed by the %s tells both receivers once, and sends no more", async (by) => {
    await using ends = await linked();
    const [here, there] = by === "gateway" ? [ends.atGateway, ends.atNode] : [ends.atNode, ends.atGateway];
    here.pipe.send(Buffer.from("last words"));
    here.pipe.close("done");
    expect(here.ends).toEqual([{ reason: "done", undeliveredFrom: undefined }]);
    here.pipe.send(Buffer.from("too late"));
    here.pipe.close("done again");
    expect(await there.ended).toBe("the other end closed: done");
    there.pipe.close("too late");
    expect(String(await there.messages.next())).toBe("last words");
    expect([here.ends.length, there.ends.length, there.messages.size]).toEqual([1, 1, 0]);
  });

  it("takes a reason of any length and alphabet", async () => {
    await using ends = await linked();
    ends.atNode.pipe.close("ü".repeat(500));
    expect(await ends.atGateway.ended).toMatch(/^the other end closed: ü{58}/);
  });

  it("closed while it opens tells its receiver", async () => {
    await using gateway = await openGateway();
    using node = openNode(
      { gateways: [gateway.url] },
      {
        connected(pipe) {
          pipe.close("not wanted");
          return { isUp: false, received: () => undefined, closed: (reason) => closed.push(reason) };
        },
      },
    );
    const closed: string[] = [];
    expect(await (await gateway.ends.next()).ended).toBe("the other end closed: not wanted");
    expect(closed).toEqual(["not wanted"]);
    node.endpoint.close();
  });

  it("ends when its receiver throws, and tells the other end nothing of that", async () => {
    await using ends = await linked();
    ends.atGateway.onMessage = () => {
      throw new Error("secret thoughts");
    };
    ends.atNode.pipe.send(Buffer.from("x"));
    expect(await ends.atGateway.ended).toBe("secret thoughts");
    expect(await ends.atNode.ended).toBe("the other end closed: a message cannot be taken");
  });

  it("ends when a message is longer than the other end takes; both are told why", async () => {
    await using ends = await linked({ maxMessageBytes: 1_000 });
    await using other = await linked();
    await exchange(ends.atNode, ends.atGateway, 1_000);
    ends.atNode.pipe.send(randomBytes(1_001));
    expect(await ends.atGateway.ended).toBe("Max payload size exceeded");
    expect(await ends.atNode.ended).toContain("maxMessageBytes");
    await exchange(other.atNode, other.atGateway, 1_001);
  });

  it("is told lost when the other end's socket ends without a word", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    const end = await gateway.ends.next();
    socket.end();
    expect(await end.ended).toBe("the other end hung up");
    expect(end.ends).toHaveLength(1);
  });

  it("to somebody who hangs up but reads no more is lost at once all the same, its socket too", async () => {
    await using gateway = await openGateway({ maxConnections: 1 });
    const socket = await upgraded(gateway.port);
    socket.pause();
    const end = await gateway.ends.next();
    end.isUp = true;
    while (end.pipe.bufferedBytes === 0) end.pipe.send(randomBytes(1_000_000));
    socket.end();
    expect(await end.ended).toBe("the other end hung up");
    await new Promise((resolve) => setImmediate(resolve));
    const next = await upgraded(gateway.port);
    await gateway.ends.next();
    socket.destroy();
    next.destroy();
  });

  it("tells that a message is coming before it is whole, and takes a proxy's ping for nothing", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    const end = await gateway.ends.next();
    end.isUp = true;
    const before = end.pipe.bytesRead as number;
    socket.write(frame(Buffer.from("ping"), 0x89));
    await once(socket, "data");
    expect(end.pipe.bytesRead).toBe(before);
    const whole = frame(randomBytes(100_000));
    socket.write(whole.subarray(0, 60_000));
    await until(() => end.pipe.bytesRead === before + 60_000);
    expect(end.messages.size).toBe(0);
    socket.write(whole.subarray(60_000));
    expect((await end.messages.next()).length).toBe(100_000);
    socket.destroy();
  });

  it("to somebody who reads nothing is closed at once, and its socket after a grace", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    socket.pause();
    const end = await gateway.ends.next();
    end.isUp = true;
    while (end.pipe.bufferedBytes === 0) end.pipe.send(randomBytes(1_000_000));
    const before = performance.now();
    end.pipe.close("reads nothing");
    expect(end.ends).toEqual([{ reason: "reads nothing", undeliveredFrom: undefined }]);
    await until(() => end.pipe.bufferedBytes === 0);
    expect(performance.now() - before).toBeGreaterThan(closeGraceMs - 10);
    // A WebSocket of `ws` has 30 seconds.
    expect(performance.now() - before).toBeLessThan(20_000);
    socket.destroy();
  });

  it("tells which messages have certainly not arrived when it is lost", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    socket.pause();
    const end = await gateway.ends.next();
    end.isUp = true;
    // Far more than the operating system takes.
    for (let n = 0; n < 300; n++) end.pipe.send(Buffer.alloc(100_000));
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    for (let n = 0; n < 10; n++) end.pipe.send(Buffer.alloc(100_000));
    let arrived = 0;
    socket.on("data", ({ length }) => {
      arrived += length;
      if (arrived > 2_000_000) socket.destroy();
    });
    socket.resume();
    await end.ended;
    const { undeliveredFrom } = end.ends[0] as { undeliveredFrom: number };
    expect(undeliveredFrom).toBeGreaterThan(Math.floor(arrived / 100_010));
    expect(undeliveredFrom).toBeLessThanOrEqual(300);
  });

  it("counts a message as perhaps arrived once the operating system has it, whatever waited before", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    socket.pause();
    const end = await gateway.ends.next();
    end.isUp = true;
    let sent = 0;
    while (end.pipe.bufferedBytes === 0) {
      end.pipe.send(Buffer.alloc(100_000));
      sent += 1;
    }
    end.pipe.send(Buffer.alloc(100_000));
    sent += 1;
    socket.resume();
    await until(() => end.pipe.bufferedBytes === 0);
    socket.destroy();
    await end.ended;
    expect(end.ends).toEqual([{ reason: expect.any(String), undeliveredFrom: sent }]);
  });
});

describe("a hostile peer ends nothing but its own link:", () => {
  it.each([
    ["a text message", frame(Buffer.from("{}"), 0x81), "a text message came"],
    ["a frame that is not masked", Buffer.from([0x82, 1, 0x78]), "Invalid WebSocket frame: MASK must be set"],
    ["a frame of no known kind", frame(Buffer.alloc(0), 0x83), "Invalid WebSocket frame: invalid opcode 3"],
    ["a compressed frame", frame(Buffer.alloc(1), 0xc2), "Invalid WebSocket frame: RSV1 must be clear"],
    ["what is no frame", randomBytes(64).fill(0xff, 0, 1), "Invalid WebSocket frame: RSV2 and RSV3 must be clear"],
    [
      "a message in too many fragments",
      Buffer.concat(Array.from({ length: 101 }, (_, n) => frame(Buffer.alloc(1), n === 0 ? 0x02 : 0x00))),
      "Too many message fragments",
    ],
    [
      "a frame that says it is longer than allowed",
      Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x04, 0, 0, 1, 0, 0, 0, 0]),
      "Max payload size exceeded",
    ],
  ])("%s", async (_, bytes, reason) => {
    await using gateway = await openGateway({ maxFragments: 100 });
    using node = openNode({ gateways: [gateway.url] });
    const [atGateway, atNode] = await Promise.all([gateway.ends.next(), node.ends.next()]);
    const socket = await upgraded(gateway.port);
    const end = await gateway.ends.next();
    socket.write(bytes);
    expect(await end.ended).toBe(reason);
    expect(end.ends).toHaveLength(1);
    socket.destroy();
    await exchange(atNode, atGateway, 10);
  });

  it("more than a handshake needs before it has proven who it is", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    const end = await gateway.ends.next();
    socket.write(frame(Buffer.alloc(300_000)));
    expect(await end.ended).toMatch(/^more than 262144 bytes came before/);
    socket.destroy();
  });

  it("more pings than a proxy sends before it has proven who it is, whose socket is not read any more", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    const end = await gateway.ends.next();
    let pongs = 0;
    socket.on("data", (data) => {
      pongs += data.filter((byte) => byte === 0x8a).length;
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    // It never answers the close frame.
    socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => frame(Buffer.alloc(100), 0x89))));
    expect(await end.ended).toBe("more than 16 pings came before the other end proved its identity");
    await closed;
    expect(pongs).toBeLessThanOrEqual(16);
  });

  it("a message in too many pieces", async () => {
    await using gateway = await openGateway({ maxBufferedChunks: 5 });
    const socket = await upgraded(gateway.port);
    socket.setNoDelay(true);
    const end = await gateway.ends.next();
    for (const byte of frame(Buffer.alloc(100))) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
      if (end.ends.length > 0) break;
    }
    expect(await end.ended).toBe("Too many buffered chunks");
    socket.destroy();
  });

  it("a frame byte by byte is just slow", async () => {
    await using gateway = await openGateway();
    const socket = await upgraded(gateway.port);
    socket.setNoDelay(true);
    const end = await gateway.ends.next();
    for (const byte of frame(Buffer.from("slow"))) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(String(await end.messages.next())).toBe("slow");
    socket.destroy();
  });

  it("pings without end are answered where the answers are read, and else fill no memory", async () => {
    await using gateway = await openGateway();
    const client = new WebSocket(gateway.url, "gen-api.node.1");
    await once(client, "open");
    const end = await gateway.ends.next();
    client.ping("there?");
    expect(String((await once(client, "pong"))[0])).toBe("there?");
    end.isUp = true;
    client.pause();
    while (end.pipe.bufferedBytes === 0) end.pipe.send(randomBytes(1_000_000));
    const waiting = end.pipe.bufferedBytes;
    for (let n = 0; n < 1_000; n++) client.ping("x".repeat(100));
    client.send(Buffer.from("after the pings"));
    await end.messages.next();
    expect(end.pipe.bufferedBytes).toBeLessThanOrEqual(waiting);
    client.terminate();
  });

  it("bytes without end let the others have their turn, in however few messages they come", async () => {
    await using ends = await linked();
    ends.atGateway.isUp = true;
    let bytes = 0;
    let most = 0;
    let isCounting = true;
    const count = () => {
      most = Math.max(most, bytes);
      bytes = 0;
      if (isCounting) setImmediate(count);
    };
    count();
    ends.atGateway.onMessage = (message) => {
      bytes += message.length;
      if (message.length === 1) ends.atGateway.messages.put(Buffer.from(message));
    };
    // More than fits into what the operating system keeps of it, which is what a turn could read.
    for (let n = 0; n < 300; n++) ends.atNode.pipe.send(Buffer.alloc(60_000));
    ends.atNode.pipe.send(Buffer.from("x"));
    await ends.atGateway.messages.next();
    isCounting = false;
    // What lets it pause, and the rest of the piece in which that came.
    expect(most).toBeLessThan(2 * 256 * 1024);
  });

  it("messages without end let the others have their turn", async () => {
    await using ends = await linked();
    ends.atGateway.isUp = true;
    let turns = 0;
    let most = 0;
    let inTurn = 0;
    ends.atGateway.onMessage = (message) => {
      if (inTurn++ === 0)
        setImmediate(() => {
          turns += 1;
          most = Math.max(most, inTurn);
          inTurn = 0;
        });
      if (message.length === 1) ends.atGateway.messages.put(Buffer.from(message));
    };
    for (let n = 0; n < 2_000; n++) ends.atNode.pipe.send(Buffer.alloc(20_000));
    ends.atNode.pipe.send(Buffer.alloc(1));
    await ends.atGateway.messages.next();
    expect(turns).toBeGreaterThan(2_000 / 40);
    expect(most).toBeLessThan(40);
  });
});
