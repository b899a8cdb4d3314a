import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Gateway, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { kill } from "../../dist/actor/lifecycle/exit.js";
import service from "../fixtures/service.js";
import { startTestGateway } from "../support/gateway.ts";
import { named, watchActors } from "../support/living-actors.ts";
import { createAuthority } from "../support/network/certificates.ts";
import { connectRaw } from "../support/network/raw-client.ts";
import { exchange, statusLine, upgradeRequest } from "../support/network/raw-http.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** A host's server that listens, with these listeners of its upgrade requests. */
async function host(listeners: readonly OnUpgrade[] = [], server = createServer()) {
  for (const listener of listeners) server.on("upgrade", listener);
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `ws://127.0.0.1:${port}/socket`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Offers what comes to a gateway, and hangs up on the rest. */
function routeTo(gateway: Pick<Gateway, "handleUpgrade">): OnUpgrade {
  return (request, socket, head) => {
    if (!gateway.handleUpgrade(request, socket, head)) socket.end("HTTP/1.1 418 Not Mine\r\n\r\n");
  };
}

const unlistening = { listen: false } as const;

describe("a gateway without a server of its own", () => {
  test("serves the clients whose upgrade requests the host program hands it, and leaves every other alone", async () => {
    await using gateway = await startTestGateway(unlistening);
    await using site = await host([routeTo(gateway)]);
    await using client = await connectClient(site.url);
    const { response } = await client.request("echo", { msg: "hi" });
    expect(response).toMatchObject({ success: true, result: "hi" });
    expect(await exchange(site.port, upgradeRequest("/other"))).toBe("HTTP/1.1 418 Not Mine\r\n\r\n");
    expect(gateway.address).toBeUndefined();
    expect(gateway.diagnostics.health().isReady).toBe(true);
    expect(gateway.diagnostics.statistics().connections.open).toBe(1);
  });

  test("over TLS too", async () => {
    const { cert, key } = createAuthority().issue("host", "127.0.0.1");
    await using gateway = await startTestGateway(unlistening);
    await using site = await host([routeTo(gateway)], createTlsServer({ cert, key }) as never);
    const client = await connectRaw(`wss://127.0.0.1:${site.port}/socket/websocket?vsn=2.0.0`, {
      rejectUnauthorized: false,
    });
    expect(await client.join("api:lobby")).toMatchObject({ status: "ok" });
    await client.close();
  });

  test("lets service nodes in by their link", async () => {
    await using gateway = await startTestGateway({ ...unlistening, functions: [], cluster: link() });
    await using site = await host([routeTo(gateway)]);
    await using _node = await startServiceNode({
      name: "node@127.0.0.1",
      functions: [service],
      cluster: link({ gateways: [`ws://127.0.0.1:${site.port}/node`] }),
    });
    await gateway.nodes.whenUp("node@127.0.0.1");
    await expect
      .poll(() => gateway.request({ service: "test", requestType: "echo", args: { msg: "hi" } }))
      .toMatchObject({ success: true });
  });

  test("keeps its connections when its listener crashes, and takes new ones after", async () => {
    const { inspect, living } = watchActors();
    await using gateway = await startTestGateway({ ...unlistening, inspect });
    await using site = await host([routeTo(gateway)]);
    await using client = await connectClient(site.url);
    using restarts = recordEvents("supervisor.child.restart");
    for (const listener of living(named("listener"))) kill(listener);
    await expect.poll(() => restarts.messages.length).toBe(1);
    expect((await client.request("echo", { msg: 1 })).response.success).toBe(true);
    await using other = await connectClient(site.url);
    expect((await other.request("echo", { msg: 2 })).response.success).toBe(true);
  });

  test("answers clients and nodes 503 from its stop on, and still leaves others alone", async () => {
    const gateway = await startTestGateway({ ...unlistening, cluster: link() });
    await using site = await host([routeTo(gateway)]);
    const client = await connectClient(site.url);
    const running = client.request("slow", { ms: 500 });
    await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(1);
    const stopped = gateway.stop({ drainMs: 5_000 });
    expect(await exchange(site.port, upgradeRequest("/socket/websocket?vsn=2.0.0"))).toMatch(
      /^HTTP\/1\.1 503 .*Retry-After: 1\r\n/s,
    );
    expect((await running).response.success).toBe(true);
    await stopped;
    const headers = "Sec-WebSocket-Protocol: gen-api.node.1\r\n";
    const paths = ["/socket/websocket?vsn=2.0.0", "/node", "/other"];
    const answers = await Promise.all(paths.map((path) => exchange(site.port, upgradeRequest(path, headers))));
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(["HTTP/1.1 503", "HTTP/1.1 503", "HTTP/1.1 418"]);
    await client.close();
  });
});

describe("an upgrade request that a gateway is offered twice", () => {
  test("is taken once: by its mount on the server and by the host program, accepted or refused", async () => {
    await using site = await host();
    await using gateway = await startTestGateway({ listen: false, server: site.server, cluster: link() });
    site.server.on("upgrade", routeTo(gateway));
    site.server.on("upgrade", routeTo(gateway));
    using refusals = recordEvents("connection.refuse", "node.link.refuse");
    await using client = await connectClient(site.url);
    expect((await client.request("echo", { msg: "hi" })).response.success).toBe(true);
    expect(gateway.diagnostics.statistics().connections.opened).toBe(1);
    const refused = await exchange(site.port, upgradeRequest("/socket/websocket?vsn=9.0.0"));
    expect(refused.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await statusLine(site.port, upgradeRequest("/node", "Sec-WebSocket-Protocol: gen-api.node.1\r\n"))).toMatch(
      / 101 /,
    );
    expect(refusals.messages.map(({ metadata }) => metadata)).toEqual([
      expect.objectContaining({ reason: "the version is not served" }),
    ]);
  });
});

describe("an upgrade request that something else on the server answers too", () => {
  const refuse: OnUpgrade = (_request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  const others: readonly [string, OnUpgrade][] = [
    ["at once", refuse],
    ["a moment later", (...all) => void setTimeout(refuse, 20, ...all)],
    ["without ending it", (_request, socket) => void socket.write("HTTP/1.1 404 Not Found\r\n\r\n")],
    ["by hanging up", (_request, socket) => void socket.destroy()],
  ];
  for (const [how, other] of others) {
    test(`${how} is reported with the cause and the way out, and counts for no limit`, async () => {
      await using site = await host([other]);
      await using gateway = await startTestGateway({
        listen: false,
        server: site.server,
        socket: { connect: () => new Promise((resolve) => setTimeout(resolve, 100, {})), maxConnections: 1 },
      });
      using refused = recordEvents("connection.refuse");
      for (let count = 1; count <= 2; count++) {
        const socket = new WebSocket(`${site.url}/websocket?vsn=2.0.0`).on("error", () => undefined);
        await expect.poll(() => refused.messages.length).toBe(count);
        socket.terminate();
      }
      for (const { metadata } of refused.messages) {
        expect(metadata).toMatchObject({
          status: 500,
          reason: expect.stringMatching(/another.*handleUpgrade.*hosts\.md/),
        });
      }
      expect(gateway.diagnostics.statistics().connections.open).toBe(0);
    });
  }

  test("after the client was let in closes the connection and is reported", async () => {
    await using site = await host([(...all) => void setTimeout(refuse, 200, ...all)]);
    await using _gateway = await startTestGateway({ listen: false, server: site.server });
    using events = recordEvents("connection.refuse", "connection.close");
    const client = await connectRaw(`${site.url}/websocket?vsn=2.0.0`);
    expect(await client.join("api:lobby")).toMatchObject({ status: "ok" });
    await client.closed;
    await expect.poll(() => events.messages.length).toBe(2);
    for (const { metadata } of events.messages)
      expect(metadata).toMatchObject({ reason: expect.stringMatching(/another upgrade listener/) });
  });

  test("with a WebSocket of its own keeps that WebSocket, and ends nobody's process", async () => {
    await using site = await host();
    const greedy = new WebSocketServer({ server: site.server });
    greedy.on("connection", (socket) => socket.on("message", (text) => socket.send(`theirs: ${text}`)));
    await using _gateway = await startTestGateway({ listen: false, server: site.server, cluster: link() });
    using refused = recordEvents("connection.refuse", "node.link.refuse");
    for (const path of ["/socket/websocket?vsn=2.0.0", "/node"]) {
      const socket = new WebSocket(`ws://127.0.0.1:${site.port}${path}`, path === "/node" ? ["gen-api.node.1"] : []);
      await once(socket, "open");
      socket.send("hello");
      const [answer] = await once(socket, "message");
      expect(String(answer)).toBe("theirs: hello");
      socket.terminate();
    }
    await expect.poll(() => refused.messages.length).toBe(2);
    greedy.close();
  });

  test("before the host program offers it is left to who has it", async () => {
    await using gateway = await startTestGateway(unlistening);
    using refused = recordEvents("connection.refuse");
    const taken: boolean[] = [];
    await using site = await host([
      refuse,
      (request, socket, head) => void taken.push(gateway.handleUpgrade(request, socket, head)),
    ]);
    const answer = await exchange(site.port, upgradeRequest("/socket/websocket?vsn=2.0.0"));
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(taken).toEqual([true]);
    expect(refused.messages).toHaveLength(1);
  });
});

test("whatever is no upgrade request is refused with what came and what was allowed", async () => {
  await using gateway = await startTestGateway(unlistening);
  const handle = gateway.handleUpgrade as (...all: unknown[]) => boolean;
  const seen: unknown[] = [];
  await using site = await host([
    (request, socket, head) => {
      const cases = [
        [],
        [{ url: "/socket/websocket" }, socket, head],
        [request],
        [request, socket],
        [request, {}, head],
      ];
      for (const given of cases) {
        try {
          handle(...given);
        } catch (thrown) {
          seen.push(thrown);
        }
      }
      socket.end("HTTP/1.1 418 Not Mine\r\n\r\n");
    },
  ]);
  await exchange(site.port, upgradeRequest("/socket/websocket?vsn=2.0.0"));
  expect(seen.map((error) => (error as Error).message.replace(/^.*gives: /, ""))).toEqual([
    "request must be Node's http.IncomingMessage, got nothing",
    "request must be Node's http.IncomingMessage, got map",
    "socket must be the request's socket, got nothing",
    "head must be a Buffer, got nothing",
    "socket must be the request's socket, got map",
  ]);
  for (const error of seen) expect(error).toMatchObject({ name: "GenApiError", code: "invalid_request" });
});
