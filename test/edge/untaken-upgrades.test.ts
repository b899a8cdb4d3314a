import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { openGateway } from "../socket/open-gateway.ts";
import { createAuthority } from "../support/network/certificates.ts";
import { exchange, open, statusLine, upgradeRequest } from "../support/network/raw-http.ts";

/** A host's server that listens; closed, with all its sockets, at the end of the block. */
async function host(listener?: RequestListener, server: Server = createServer()) {
  if (listener !== undefined) server.on("request", listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    sockets,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const typo = upgradeRequest("/sockets/websocket");
const h2c = "GET /page HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n";

describe("an upgrade that nobody takes", () => {
  test("is answered 404 at once on a host's server where nobody else listens, and its socket ends", async () => {
    await using site = await host((_request, response) => response.end("the host's own"));
    await using _gateway = await openGateway({ on: site.server });
    const answers = await Promise.all(Array.from({ length: 50 }, () => exchange(site.port, typo)));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\nConnection: close\r\n/);
    await expect.poll(() => site.sockets.size).toBe(0);
  });

  test("is answered 404 where other listeners have left it alone, and not by each of two gateways", async () => {
    await using site = await host();
    site.server.on("upgrade", () => undefined);
    await using _one = await openGateway({ on: site.server, path: "/one" });
    await using _two = await openGateway({ on: site.server, path: "/two" });
    const answer = await exchange(site.port, typo);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(await statusLine(site.port, upgradeRequest("/one/websocket"))).toMatch(/ 101 /);
    expect(await statusLine(site.port, upgradeRequest("/two/websocket"))).toMatch(/ 101 /);
  });

  test("is left to a listener that has it, before or after the mount, and answers when it likes", async () => {
    await using site = await host();
    const answerLate =
      (path: string) => (request: { url?: string }, socket: { on: Socket["on"]; end: Socket["end"] }) => {
        if (request.url !== path) return;
        socket.on("error", () => undefined);
        setTimeout(() => socket.end("HTTP/1.1 418 Late\r\n\r\n"), 1_500);
      };
    site.server.on("upgrade", answerLate("/before"));
    await using _gateway = await openGateway({ on: site.server });
    site.server.on("upgrade", answerLate("/after"));
    const asked = ["/before", "/after"].map((path) => exchange(site.port, upgradeRequest(path)));
    expect(await Promise.all(asked)).toEqual(["HTTP/1.1 418 Late\r\n\r\n", "HTTP/1.1 418 Late\r\n\r\n"]);
  });

  test("is left to a listener that answers within a second without having touched it before", async () => {
    await using site = await host();
    site.server.on("upgrade", (_request, socket) => {
      setTimeout(() => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 100);
      setTimeout(() => socket.end("still there"), 1_500);
    });
    await using _gateway = await openGateway({ on: site.server });
    expect(await exchange(site.port, upgradeRequest("/theirs"))).toMatch(/still there$/);
  });

  test("is answered at last where another listener only listens for the socket's end, however many there are", async () => {
    await using site = await host();
    site.server.on("upgrade", (_request, socket) => {
      socket.on("error", () => undefined);
      socket.once("close", () => undefined);
    });
    await using _gateway = await openGateway({ on: site.server });
    const first = exchange(site.port, typo);
    await expect.poll(() => site.sockets.size).toBe(1);
    const startedAt = performance.now();
    const more = await Promise.all(Array.from({ length: 1_000 }, () => open(site.port)));
    for (const socket of more) socket.write(typo);
    expect(await first).toMatch(/^HTTP\/1\.1 404 /);
    expect(performance.now() - startedAt).toBeLessThan(60_000);
    for (const socket of more) socket.destroy();
  });

  test("is answered when the gateway leaves the host's server", async () => {
    await using site = await host();
    site.server.on("upgrade", () => undefined);
    const gateway = await openGateway({ on: site.server });
    const answer = exchange(site.port, typo);
    await expect.poll(() => site.sockets.size).toBe(1);
    await (await open(site.port)).destroy();
    await gateway.system.shutdown();
    expect(await answer).toMatch(/^(HTTP\/1\.1 404 |$)/);
    expect(site.server.listenerCount("upgrade")).toBe(1);
  });

  test("over TLS too", async () => {
    const { cert, key } = createAuthority().issue("host", "127.0.0.1");
    await using site = await host(undefined, createTlsServer({ cert, key }));
    site.server.on("upgrade", () => undefined);
    await using _gateway = await openGateway({ on: site.server });
    const socket = connectTls({ port: site.port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.write(typo);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 404 /);
    await once(socket, "close");
    for (let n = 0; n < 100; n++) {
      const raw = await open(site.port);
      const untimely = connectTls({ socket: raw, rejectUnauthorized: false });
      untimely.on("error", () => untimely.destroy());
      untimely.write(typo, () => setTimeout(() => raw.resetAndDestroy(), n % 20));
      await once(untimely, "close");
    }
    await expect.poll(() => site.sockets.size).toBe(0);
  });

  test("to another protocol is no upgrade: it is served as the plain request that it is", async () => {
    await using site = await host((request, response) => response.end(`${request.method} ${request.url}`));
    await using _gateway = await openGateway({ on: site.server });
    expect(await exchange(site.port, h2c)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*GET \/page/s);
    const withBody = h2c.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nab");
    expect(await exchange(site.port, withBody)).toMatch(/^HTTP\/1\.1 404 /);
    await using own = await openGateway();
    expect(await exchange(Number(new URL(own.url).port), h2c)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  });

  test("by a client that neither reads nor closes costs a socket for a second or so", async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCPSocket")).length;
    const before = sockets();
    await using gateway = await openGateway();
    const { port } = new URL(gateway.url);
    // More answers than any kernel takes for a client that does not read.
    const flood = `${"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000)}${typo}`;
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(Number(port))));
    for (const client of clients) client.pause().write(flood);
    // Both ends are here: what is left are the clients' own, which have not read yet that they are cut off.
    await expect.poll(sockets).toBeLessThanOrEqual(before + 20);
    for (const client of clients) client.destroy();
  });
});
