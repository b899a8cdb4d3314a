import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { createActor } from "xstate";
import { contain } from "../../../src/actor/lifecycle/contain.ts";
import { kill } from "../../../src/actor/lifecycle/exit.ts";
import { backoffMs } from "../../../src/core/time/backoff.ts";
import { dialBackoff, dialerActor } from "../../../src/node/link/dialer.machine.ts";
import { link } from "../../../src/node/link/link.ts";
import { resolveNodeLink } from "../../../src/node/link/link-options.ts";
import type { Pipe } from "../../../src/node/wire/pipe.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { until } from "../../support/until.ts";
import { createScope, openGateway, openNode, Queue } from "./open-link.ts";

/** A generator of numbers in [0, 1) that a seed makes come again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A TCP server that hands out its sockets and answers nothing. */
async function openSilent(onSocket: (socket: Socket) => void = () => undefined) {
  const sockets = new Queue<Socket>();
  const server: Server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.resume();
    sockets.put(socket);
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    sockets,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/node`,
    /** Resolves when no socket is left: nobody closes them here. */
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

describe("a node's link", () => {
  it("reaches every gateway, and when one is lost keeps the others", async () => {
    await using first = await openGateway();
    await using second = await openGateway();
    using node = openNode({ gateways: [first.url, second.url] });
    const ends = [await node.ends.next(), await node.ends.next()];
    expect(ends.map(({ pipe }) => pipe.peer).sort()).toEqual([first.url, second.url].sort());
    const lost = ends.find(({ pipe }) => pipe.peer === first.url);
    (await first.ends.next()).pipe.close("lost");
    await lost?.ended;
    expect((await node.ends.next()).pipe.peer).toBe(first.url);
    expect(ends.filter((end) => end.ends.length === 0).map(({ pipe }) => pipe.peer)).toEqual([second.url]);
    node.endpoint.close();
  });

  it("comes back when the gateway's port was gone and is there again", async () => {
    const { scope, ends } = createScope();
    const transport = link({ listen: { port: 0 } });
    const before = transport.openGateway(scope);
    await before.ready;
    const { url } = before.address as { url: string };
    using node = openNode({ gateways: [url] });
    const [atNode] = await Promise.all([node.ends.next(), ends.next()]);
    before.close();
    expect(await atNode.ended).toBe("the other end closed: the gateway closes its transport");
    using retries = recordEvents("node.link.retry");
    await until(() => retries.messages.some(({ metadata }) => JSON.stringify(metadata).includes("ECONNREFUSED")));
    const after = transport.openGateway(scope);
    await after.ready;
    expect(after.address?.url).toBe(url);
    await Promise.all([node.ends.next(), ends.next()]);
    node.endpoint.close();
    after.close();
  });

  it("dials nobody any more when the node takes its leave, neither now nor after its wait", async () => {
    const clock = new SimulatedClock();
    await using gateway = await openGateway();
    using retries = recordEvents("node.link.retry");
    let isLeaving = false;
    using node = openNode({ gateways: [gateway.url] }, { clock, isLeaving: () => isLeaving });

    const [first, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
    atGateway.pipe.close("a test");
    await first.ended;
    await until(() => retries.messages.length === 1);
    // Again, after its wait.
    clock.advance(10_000);
    const [second, atGatewayAgain] = await Promise.all([node.ends.next(), gateway.ends.next()]);
    isLeaving = true;
    atGatewayAgain.pipe.close("a test");
    await second.ended;
    await until(() => clock.pending === 0);
    expect(retries.messages).toHaveLength(1);
    node.endpoint.close();
  });

  it("waits longer after each failure, and anew when a gateway has let it in", async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(`seed ${seed}`);
    const random = seeded(seed);
    const expected = seeded(seed);
    const clock = new SimulatedClock();
    await using gateway = await openGateway();
    using retries = recordEvents("node.link.retry");
    using node = openNode({ gateways: [gateway.url] }, { clock, random });
    let seen = 0;
    /** The gateway closes the pipe; @returns how long the node waits then */
    async function lose(isUp: boolean): Promise<number> {
      const [atNode, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
      if (isUp) {
        atNode.isUp = true;
        atGateway.pipe.send(Buffer.from("welcome"));
        await atNode.messages.next();
        // What a session does before it closes a pipe.
        atNode.isUp = false;
      }
      atGateway.pipe.close("refused");
      await atNode.ended;
      const { measurements, metadata } = retries.messages[seen++] as never as Record<string, Record<string, unknown>>;
      expect(metadata).toEqual({ node: "test", gateway_url: gateway.url, reason: "the other end closed: refused" });
      return measurements?.delay_ms as number;
    }
    for (const [attempt, isUp] of [...Array.from({ length: 9 }, (_, n) => [n + 1, false]), [1, true], [2, false]]) {
      const delayMs = await lose(isUp as boolean);
      expect(delayMs).toBe(backoffMs(dialBackoff, attempt as number, expected()));
      expect(delayMs).toBeLessThanOrEqual(dialBackoff.maxMs * 1.5);
      // Not a moment before.
      clock.advance(delayMs - 1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(node.ends.size).toBe(0);
      clock.advance(1);
    }
    await Promise.all([node.ends.next(), gateway.ends.next()]);
    node.endpoint.close();
    clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  it("takes a gateway that let it in and closed in one breath for one that let it in", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    server.on("connection", (ws, { socket }) => {
      socket.cork();
      ws.send(Buffer.from("welcome"));
      ws.send(Buffer.from("goodbye"));
      socket.uncork();
    });
    using retries = recordEvents("node.link.retry");
    const connected = (pipe: Pipe) => ({
      isUp: false,
      received(message: Uint8Array) {
        this.isUp = String(message) === "welcome";
        if (!this.isUp) pipe.close("told to");
      },
      closed: () => undefined,
    });
    const { port } = server.address() as AddressInfo;
    using node = openNode({ gateways: [`ws://127.0.0.1:${port}/`] }, { connected, random: () => 0 });
    await until(() => retries.messages.length === 3);
    expect(retries.messages.map(({ measurements }) => measurements)).toEqual(
      Array.from({ length: 3 }, () => ({ attempt: 1, delay_ms: 50 })),
    );
    node.endpoint.close();
    server.close();
  });

  it("gives up an attempt that nobody answers, and dials again", async () => {
    const clock = new SimulatedClock();
    await using silent = await openSilent();
    using retries = recordEvents("node.link.retry");
    using node = openNode({ gateways: [silent.url], connectTimeoutMs: 500 }, { clock });
    const first = await silent.sockets.next();
    const closed = once(first, "close");
    // At once: what the first attempt still has to say comes when the second is under way.
    clock.advance(500 + dialBackoff.firstMs * 1.5);
    await closed;
    await silent.sockets.next();
    expect(retries.messages.map(({ metadata }) => metadata)).toEqual([
      { node: "test", gateway_url: silent.url, reason: "no answer within 500 ms" },
    ]);
    node.endpoint.close();
    expect(clock.pending).toBe(0);
  });

  it("has all the time there is once it is open", async () => {
    const clock = new SimulatedClock();
    await using gateway = await openGateway();
    using node = openNode({ gateways: [gateway.url], connectTimeoutMs: 500 }, { clock });
    const [atNode, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
    clock.advance(100_000);
    atNode.pipe.send(Buffer.from("still here"));
    expect(String(await atGateway.messages.next())).toBe("still here");
    node.endpoint.close();
  });

  it.each([
    ["refuses", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "Unexpected server response: 403"],
    [
      "sends it elsewhere",
      "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n",
      "Unexpected server response: 302",
    ],
    ["is none", "220 mail.example ESMTP\r\n", "Parse Error: Expected HTTP/, RTSP/ or ICE/"],
    [
      "speaks another subprotocol",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      "Invalid Sec-WebSocket-Accept header",
    ],
  ])("dials again after a gateway that %s", async (_, answer, reason) => {
    await using silent = await openSilent((socket) => socket.write(answer));
    using retries = recordEvents("node.link.retry");
    const { scope, ends, failures } = createScope();
    const endpoint = link({ gateways: [silent.url] }).openNode(scope);
    await silent.sockets.next();
    await silent.sockets.next();
    endpoint.close();
    expect(retries.messages[0]?.metadata).toMatchObject({ reason });
    expect([ends.size, failures]).toEqual([0, []]);
  });

  it.each(["dialing", "open", "waiting"])("leaves nothing behind when it is closed while %s", async (state) => {
    const clock = new SimulatedClock();
    const active = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
    await new Promise((resolve) => setImmediate(resolve));
    const before = active();
    {
      await using silent = await openSilent();
      await using gateway = await openGateway();
      const node = openNode({ gateways: [state === "dialing" ? silent.url : gateway.url] }, { clock });
      if (state === "dialing") await silent.sockets.next();
      else {
        const [atNode, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
        if (state === "waiting") {
          atGateway.pipe.close("lost");
          await atNode.ended;
        }
      }
      node.endpoint.close();
      node.endpoint.close();
      expect(node.failures).toEqual([]);
    }
    await until(() => active() <= before);
    expect(clock.pending).toBe(0);
    clock.advance(100_000);
    expect(clock.pending).toBe(0);
  });

  it("dials again, at once, when what it is given a pipe for throws; and fails when that goes on", async () => {
    await using gateway = await openGateway();
    const { scope, failures } = createScope({
      connected() {
        throw new Error("no room");
      },
    });
    const endpoint = link({ gateways: [gateway.url] }).openNode(scope);
    await until(() => failures.length > 0);
    expect(failures).toMatchObject([{ code: "max_restarts", message: expect.stringContaining("no room") }]);
    endpoint.close();
  });
});

describe("a dialer", () => {
  const open = async (url: string) => {
    const clock = new SimulatedClock();
    const { scope, ends } = createScope({ clock });
    const input = { gateway: url, options: resolveNodeLink({ gateways: [url] }), scope };
    const actor = createActor(contain(dialerActor), { clock, input });
    actor.subscribe({ error: () => undefined });
    actor.start();
    return { actor, clock, ends };
  };

  it("is dialing, open, waiting", async () => {
    await using gateway = await openGateway();
    const { actor, clock, ends } = await open(gateway.url);
    expect(actor.getSnapshot().value).toEqual({ linked: "dialing" });
    const end = await ends.next();
    await until(() => actor.getSnapshot().matches({ linked: "open" }));
    end.pipe.close("lost");
    expect(actor.getSnapshot().value).toBe("waiting");
    clock.advance(150);
    expect(actor.getSnapshot().value).toEqual({ linked: "dialing" });
    actor.stop();
  });

  it("that is killed closes its socket, whether it is open or being opened", async () => {
    await using gateway = await openGateway();
    await using silent = await openSilent();
    const one = await open(gateway.url);
    await one.ends.next();
    const end = await gateway.ends.next();
    kill(one.actor);
    expect(await end.ended).toBe("the other end closed: the node closes its transport");
    const other = await open(silent.url);
    const socket = await silent.sockets.next();
    const closed = once(socket, "close");
    kill(other.actor, new Error("crashed"));
    await closed;
    one.clock.advance(1_000);
    expect([one.clock.pending, other.clock.pending]).toEqual([0, 0]);
  });
});
