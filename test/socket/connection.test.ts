import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { AnyActorRef } from "xstate";
import { exitOf, kill } from "../../src/actor/lifecycle/exit.ts";
import { type SupervisorRef, whichChildren } from "../../src/actor/supervisor/supervisor-requests.ts";
import { systemClock } from "../../src/core/time/clock.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { runningCall } from "../support/running-call.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { type Gateway, listenTo, openGateway } from "./open-gateway.ts";

/** The actors of the open connections. */
function connections(gateway: Gateway): AnyActorRef[] {
  const supervisor = gateway.system.whereis<SupervisorRef>("connections");
  return supervisor === undefined ? [] : whichChildren(supervisor).flatMap(({ ref }) => ref ?? []);
}

function channels(connection: AnyActorRef): Record<string, AnyActorRef> {
  return (connection.getSnapshot() as { children: Record<string, AnyActorRef> }).children;
}

describe("a socket is closed", () => {
  it.each([
    ["with 1011, for text that is not JSON", 1011, "hello"],
    ["with 1011, for JSON that is no message", 1011, '{"topic":"a"}'],
    ["with 1011, for a binary frame of another kind", 1011, Buffer.from([1, 0, 0, 0, 0])],
    ["with 1011, for an empty binary frame", 1011, Buffer.alloc(0)],
    ["with 1009, for a frame that is too large", 1009, `["1","1","api:a","api","${"x".repeat(3_000)}"]`],
  ])("%s, and no other notices", async (_what, code, frame) => {
    await using gateway = await openGateway({ maxPayloadBytes: 1_000, maxFrameBytes: 2_000 });
    const [client, other] = [await gateway.joined(), await gateway.joined()];
    client.send(frame);
    expect((await client.closed).code).toBe(code);
    other.send(["1", "2", "api:a", "api", { still: "here" }]);
    expect((await other.next())[4]).toEqual({ still: "here" });
    expect(gateway.table.size).toBe(1);
  });

  it("with 1007, for text that is not UTF-8", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    client.socket.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false });
    expect((await client.closed).code).toBe(1007);
  });

  it("with 1002 when nothing was received for the idle time, whatever was sent", async () => {
    const clock = new SimulatedClock();
    await using gateway = await openGateway({ clock });
    const [idle, alive, pinging] = [await gateway.joined(), await gateway.joined(), await gateway.joined()];
    clock.advance(50_000);
    await alive.settled();
    pinging.socket.ping();
    await new Promise((resolve) => pinging.socket.once("pong", resolve));
    clock.advance(12_000);
    expect((await idle.closed).code).toBe(1002);
    clock.advance(40_000);
    await alive.settled();
    clock.advance(12_000);
    expect((await pinging.closed).code).toBe(1002);
    await alive.settled();
    clock.advance(62_000);
    expect((await alive.closed).code).toBe(1002);
  });

  it("not for silence when this process stood still, and so has not read yet what was sent", async () => {
    await using gateway = await openGateway({ idleTimeoutMs: 1_200 });
    using closed = listenTo("connection.close");
    const { port } = new URL(gateway.url);
    // Another process sends: this one is held.
    const script = `
      const socket = require("node:net").connect(${port}, "127.0.0.1");
      socket.write("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n" +
        "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n");
      const text = '[null,"1","phoenix","heartbeat",{}]';
      const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
      socket.once("data", () => setInterval(() => socket.write(frame), 100));
      socket.on("close", () => process.exit());`;
    const client = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "inherit", "inherit"] });
    await expect.poll(() => gateway.table.size).toBe(1);
    for (let times = 0; times < 2; times++) {
      const until = performance.now() + 2_500;
      while (performance.now() < until);
      // The late sweep, and the one after it.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
    expect(closed.messages).toEqual([]);
    expect(gateway.table.size).toBe(1);
    client.kill();
    await expect.poll(() => gateway.table.size).toBe(0);
  });

  it("with 1001 when its token has expired", async () => {
    const clock = new SimulatedClock();
    await using gateway = await openGateway({
      clock,
      connect: ({ params }) => (params.forever ? {} : { expiresAt: new Date(clock.systemTime() + 5_000) }),
    });
    const client = await gateway.joined();
    const forever = await gateway.joined("vsn=2.0.0&forever=1");
    clock.advance(4_000);
    await client.settled();
    clock.advance(2_000);
    expect(await client.closed).toEqual({ code: 1001, reason: "expired" });
    await forever.settled();
  });

  it("with 1001 when its id is disconnected, with all others of that id", async () => {
    await using gateway = await openGateway({ connect: ({ params }) => ({ id: String(params.id) }) });
    const [a, b, other] = await Promise.all(["x", "x", "y"].map((id) => gateway.connect(`vsn=2.0.0&id=${id}`)));
    expect(gateway.table.disconnect("x")).toBe(2);
    expect((await a?.closed)?.code).toBe(1001);
    expect((await b?.closed)?.code).toBe(1001);
    await other?.settled();
    expect(gateway.table.disconnect("nobody")).toBe(0);
  });

  it("with 1013 when it does not read, and its memory is given back", async () => {
    await using gateway = await openGateway({ maxBufferedBytes: 100_000, closeTimeoutMs: 100 });
    using closed = listenTo("connection.close");
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    await client.reply("2");
    client.socket.pause();
    const { replyTo } = gateway.handled[0] as (typeof gateway.handled)[0];
    const chunk = JSON.stringify("x".repeat(50_000));
    // More than any kernel buffers on the way.
    for (let n = 0; n < 400; n++) {
      replyTo.push(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => closed.messages.length).toBe(1);
    expect(closed.messages[0]?.metadata).toMatchObject({ code: 1013, reason: "the client does not read" });
    expect(gateway.table.size).toBe(0);
    client.socket.resume();
  });

  it("from within, and what its messages had waited for is not done any more", async () => {
    let letIn: (reply: object) => void = () => undefined;
    let joins = 0;
    await using gateway = await openGateway({
      connect: () => ({ id: "x" }),
      channels: [
        {
          topic: "api:*",
          event: "api",
          join: () => {
            joins += 1;
            return new Promise((resolve) => {
              letIn = resolve;
            });
          },
        },
      ],
    });
    gateway.handle = () => gateway.table.disconnect("x");
    const client = await gateway.connect();
    client.send(["1", "1", "api:a", "phx_join", {}]);
    client.send(["1", "2", "api:a", "api", {}]);
    client.send(["3", "3", "api:a", "phx_join", {}]);
    await client.settled();
    letIn({});
    expect((await client.closed).code).toBe(1001);
    expect(joins).toBe(1);
    expect(gateway.handled).toHaveLength(1);
  });

  it("not by one answer alone, however large, nor by a client that reads", async () => {
    await using gateway = await openGateway({ maxBufferedBytes: 10_000 });
    gateway.handle = (_payload, _bytes, _caller, replyTo) =>
      replyTo.answer(JSON.stringify("é".repeat(10_000_000)), "ok", "1");
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    expect((await client.next())[4]).toHaveLength(10_000_000);
    await client.reply("2");
  });
});

describe("frames", () => {
  it("leave in the order in which they were made, ASCII or not, small or large", async () => {
    await using gateway = await openGateway();
    gateway.handle = (_payload, _bytes, _caller, replyTo) => {
      for (let n = 0; n < 400; n++) {
        const text = ["plain", "é", "\ud83d\ude00", "x".repeat(130), "y".repeat(70_000), "ü".repeat(40_000)][
          n % 6
        ] as string;
        replyTo.push(JSON.stringify({ n, text: n % 50 < 6 ? text : text.slice(0, 4) }));
      }
      replyTo.reply("ok", "{}");
    };
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    for (let n = 0; n < 400; n++) expect((await client.next())[4]).toMatchObject({ n });
    await client.reply("2");
  });

  it("of a ping are answered by a pong with the same data", async () => {
    await using gateway = await openGateway();
    const client = await gateway.connect();
    const pong = new Promise((resolve) => client.socket.once("pong", resolve));
    client.socket.ping("abc");
    expect(String(await pong)).toBe("abc");
  });

  it("made before the gateway closes the socket still arrive", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    const frames = [frameOf('["1","2","api:a","api",{"x":1}]'), frameOf("garbage")];
    // In one write, so that both are read in one turn.
    (client.socket as unknown as { _socket: Socket })._socket.write(Buffer.concat(frames));
    expect((await client.closed).code).toBe(1011);
    expect(client.frames.map(([, , , event]) => event)).toEqual(["api", "phx_reply"]);
  });

  it("sent just before the client closes are still handled, and the close is echoed", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    client.send(["1", "2", "api:a", "api", {}]);
    client.socket.close(1000);
    expect((await client.closed).code).toBe(1000);
    expect(gateway.handled).toHaveLength(1);
  });
});

describe("a client that sends without end", () => {
  it("has but a few of its messages read before the others have their turn", async () => {
    await using gateway = await openGateway();
    let inTurn = 0;
    let most = 0;
    gateway.handle = () => {
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      // Ten of these are a millisecond's work.
      const until = performance.now() + 0.1;
      while (performance.now() < until);
      inTurn += 1;
      most = Math.max(most, inTurn);
    };
    const client = await gateway.joined();
    const payload = "x".repeat(1_000);
    for (let n = 0; n < 2_000; n++) client.send([null, null, "api:a", "api", payload]);
    await client.settled();
    expect(gateway.handled).toHaveLength(2_000);
    // Turns are of two milliseconds.
    expect(most).toBeLessThanOrEqual(60);
  });
});

describe("the actor of", () => {
  it("a channel, killed, is gone alone: phx_error, and what ran for it is aborted", async () => {
    await using gateway = await openGateway();
    let reason = "";
    gateway.handle = (_payload, _bytes, caller) => {
      const abort = (why: string) => {
        reason = why;
      };
      caller.calls.add(runningCall({ requestId: "r", abort }));
    };
    const client = await gateway.joined();
    await client.join("api:b", "2");
    client.send(["1", "3", "api:a", "api", {}]);
    await client.settled();
    const [connection] = connections(gateway) as [AnyActorRef];
    expect(Object.keys(channels(connection))).toEqual(["api:a#1", "api:b#2"]);
    kill(channels(connection)["api:a#1"] as AnyActorRef);
    expect(await client.next()).toEqual(["1", "1", "api:a", "phx_error", { reason: "channel_crash" }]);
    expect(reason).toBe("disconnected");
    expect(Object.keys(channels(connection))).toEqual(["api:b#2"]);
    client.send(["2", "4", "api:b", "phx_leave", {}]);
    expect((await client.reply("4"))[4]).toEqual({ status: "ok", response: {} });
    expect(channels(connection)).toEqual({});
  });

  it("a connection, killed, closes its socket and ends its channels; no other notices", async () => {
    await using gateway = await openGateway();
    const [client, other] = [await gateway.joined(), await gateway.joined()];
    const [actor] = connections(gateway) as [AnyActorRef];
    const [channel] = Object.values(channels(actor)) as [AnyActorRef];
    kill(actor);
    expect((await client.closed).code).toBe(1011);
    expect(exitOf(actor)).toBe("killed");
    expect(exitOf(channel)).toBe("shutdown");
    await other.settled();
    expect(connections(gateway)).toHaveLength(1);
  });

  it("a connection crashes with what nobody foresaw, visible to its supervisor; no other notices", async () => {
    using exits = listenTo("supervisor.child.exit");
    let isBroken = false;
    const now = () => {
      if (isBroken) throw new Error("the clock is broken");
      return performance.now();
    };
    await using gateway = await openGateway({ clock: { ...systemClock, now } });
    const [client, other] = [await gateway.connect(), await gateway.connect()];
    isBroken = true;
    client.send(["1", "1", "api:a", "phx_join", {}]);
    await client.next().catch(() => undefined);
    isBroken = false;
    expect((await client.closed).code).toBe(1011);
    await other.join("api:a");
    expect(exits.messages.map(({ metadata }) => [metadata.child, metadata.error?.message])).toEqual([
      ["connection_1", "the clock is broken"],
    ]);
  });

  it("a connection ends normally when the client goes, however it goes", async () => {
    await using gateway = await openGateway();
    for (const go of ["close", "terminate"] as const) {
      const client = await gateway.joined();
      const [actor] = connections(gateway) as [AnyActorRef];
      const [channel] = Object.values(channels(actor)) as [AnyActorRef];
      client.socket[go]();
      await expect.poll(() => exitOf(actor)).toBe("normal");
      expect(exitOf(channel)).toBe("shutdown");
      expect(connections(gateway)).toEqual([]);
      expect(gateway.table.size).toBe(0);
    }
  });

  it("the listener, killed, listens again on the same port, while open connections go on", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    const { url } = gateway;
    for (let kills = 0; kills < 3; kills++) {
      kill(gateway.system.whereis("listener") as AnyActorRef);
      await client.settled();
      const another = await gateway.connect();
      await another.settled();
    }
    expect(gateway.url).toBe(url);
    client.send(["1", "2", "api:a", "api", { still: "here" }]);
    expect((await client.next())[4]).toEqual({ still: "here" });
  });

  it("the supervisor of connections, killed, closes them, and new ones can come", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    kill(gateway.system.whereis("connections") as AnyActorRef);
    expect((await client.closed).code).toBe(1011);
    await (await gateway.joined()).settled();
  });
});

describe("a system that stops", () => {
  it("closes its sockets with 1012, refuses those that were connecting, and leaves no timer behind", async () => {
    const clock = new SimulatedClock();
    const gateway = await openGateway({
      clock,
      connect: ({ params }) => (params.slow ? new Promise(() => undefined) : {}),
      channels: [{ topic: "api:slow", join: () => new Promise(() => undefined) }],
    });
    const client = await gateway.connect();
    client.send(["1", "1", "api:slow", "phx_join", {}]);
    await client.settled();
    const connecting = gateway.connect("vsn=2.0.0&slow=1");
    connecting.catch(() => undefined);
    await expect.poll(() => clock.pending).toBe(3);
    expect(await gateway.system.shutdown()).toEqual({ reason: "stopped" });
    expect((await client.closed).code).toBe(1012);
    await expect(connecting).rejects.toMatchObject({ status: 503 });
    await expect.poll(() => clock.pending).toBe(0);
    await expect(connectRaw(`${gateway.url}/websocket`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("closes sockets that never asked for anything", async () => {
    const gateway = await openGateway();
    const silent = connectTcp(Number(new URL(gateway.url).port), "127.0.0.1");
    await new Promise((resolve) => silent.once("connect", resolve));
    await (await gateway.connect()).settled();
    const closed = new Promise((resolve) => silent.once("close", resolve));
    silent.on("error", () => silent.destroy());
    silent.resume();
    await gateway.system.shutdown();
    await closed;
  });

  it("does not wait longer for a client that does not answer than the close timeout", async () => {
    const gateway = await openGateway({ closeTimeoutMs: 50 });
    const client = await gateway.joined();
    client.socket.pause();
    await gateway.system.shutdown();
    expect(gateway.table.size).toBe(0);
    client.socket.resume();
    await client.closed;
  });
});

describe("at the end", () => {
  it("no socket of a gateway is left, however its clients went", async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
    const before = sockets();
    {
      await using gateway = await openGateway();
      const clients = await Promise.all(Array.from({ length: 20 }, () => gateway.joined()));
      for (const [n, client] of clients.entries()) {
        if (n % 4 === 0) client.socket.terminate();
        if (n % 4 === 1) client.send("garbage");
        if (n % 4 === 2) client.socket.close();
      }
      await expect(gateway.connect("vsn=9.9.9")).rejects.toMatchObject({ status: 403 });
      expect(sockets()).toBeGreaterThan(before);
    }
    await expect.poll(sockets).toBe(before);
  });
});

describe("a listener", () => {
  it("that cannot have its port says host, port and why", async () => {
    await using first = await openGateway();
    const { port } = new URL(first.url);
    const second = openGateway({ on: { host: "127.0.0.1", port: Number(port) } });
    await expect(second).rejects.toMatchObject({
      code: "listen_failed",
      message: expect.stringMatching(`^Cannot listen for clients on 127.0.0.1 port ${port}: .*EADDRINUSE`),
    });
  });

  it.each([
    ["203.0.113.1", 0, "EADDRNOTAVAIL"],
    ["127.0.0.1", 70_000, "ERR_SOCKET_BAD_PORT"],
  ])("says so too of %s port %i", async (host, port, code) => {
    const told = {
      code: "listen_failed",
      message: expect.stringMatching(`^Cannot listen for clients on ${host} port ${port}: .*${code}`),
    };
    // What is thrown at once fails the start of the tree, which names the child.
    const isThrown = code === "ERR_SOCKET_BAD_PORT";
    await expect(openGateway({ on: { host, port } })).rejects.toMatchObject(isThrown ? { cause: told } : told);
  });

  it("on a host's own server takes its path alone, gives it back and closes nothing of the host's", async () => {
    const server = createServer((_request, response) => response.end("the host's own"));
    let others = 0;
    server.on("upgrade", (request, socket) => {
      if (request.url === "/other") {
        others += 1;
        socket.end("HTTP/1.1 418 x\r\n\r\n");
      }
    });
    await listening(server);
    const gateway = await openGateway({ on: server });
    const { url } = gateway;
    const client = await gateway.joined();
    await expect(connectRaw(url.replace("/socket", "/other"))).rejects.toMatchObject({ status: 418 });
    expect(others).toBe(1);
    const page = async () => (await fetch(url.replace("ws:", "http:"), { headers: { connection: "close" } })).text();
    expect(await page()).toBe("the host's own");
    await gateway.system.shutdown();
    expect((await client.closed).code).toBe(1012);
    expect(server.listenerCount("upgrade")).toBe(1);
    expect(await page()).toBe("the host's own");
    await new Promise((resolve) => server.close(resolve));
  });
});

/** A masked text frame whose mask is zero. */
function frameOf(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}
