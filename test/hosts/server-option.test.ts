import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { createServer as createH2cServer, createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createServer as createRawTlsServer } from "node:tls";
import { type GatewayOptions, startGenApi } from "gen-api";
import { describe, expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { createAuthority } from "../support/network/certificates.ts";
import { connectRaw } from "../support/network/raw-client.ts";

const { cert, key } = createAuthority().issue("host", "127.0.0.1");
const listener = Object.assign(() => undefined, { on: () => undefined, listen: () => undefined });

describe("what looks like a server and serves no WebSocket is refused at the start, with the line to change:", () => {
  const must = "server must be an http.Server or https.Server, got ";
  const cases: readonly [string, unknown, string][] = [
    [
      "an Express application",
      Object.assign(listener, { handle: () => undefined }),
      "an application: give `server: createServer(app)`",
    ],
    [
      "a Koa application",
      { on: listener, listen: listener, callback: listener },
      "an application: give `server: createServer(app.callback())`",
    ],
    ["a Hono application", { on: listener, fetch: listener }, "an application: give what `serve(app)`"],
    [
      "a Nest application",
      { on: listener, getHttpServer: listener },
      "an application: give `server: app.getHttpServer()`",
    ],
    [
      "a Fastify instance",
      { on: listener, server: createServer() },
      "an object that has one: give its `server`, such as `server: app.server`",
    ],
    [
      "a Socket.IO server",
      { on: listener, httpServer: createServer() },
      "an object that has one: give its `httpServer`",
    ],
    ["a promise of a server", Promise.resolve(createServer()), "a promise: await it"],
    ["a request listener", () => undefined, "function"],
    ["an emitter", new EventEmitter(), "map"],
    [
      "a server of HTTP/2 without TLS",
      createH2cServer(),
      "one that speaks HTTP/2 alone: a WebSocket needs one of HTTP/1.1",
    ],
    [
      "a server of HTTP/2 alone",
      createSecureServer({ cert, key }),
      "one that speaks HTTP/2 alone: make it with `allowHTTP1: true`",
    ],
    ["a TCP server", createTcpServer(), "a server that speaks no HTTP"],
    ["a TLS server", createRawTlsServer({ cert, key }), "a server that speaks no HTTP"],
    ["the address of one that listens", "http://127.0.0.1:4000", '"http://127.0.0.1:4000"'],
    ["null", null, "null"],
    ["a field that is not there", undefined, "nothing"],
  ];
  test.each(cases)("%s", async (_what, server, got) => {
    const options = { server } as unknown as GatewayOptions;
    const error = await startGenApi(options).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "GenApiError", code: "invalid_option" });
    expect(error.message).toContain(must + got);
  });
});

describe("a gateway is served by", () => {
  const servers = {
    "an http.Server": () => createServer(),
    "an https.Server": () => createTlsServer({ cert, key }),
    "a server of HTTP/2 that speaks HTTP/1.1 too": () => createSecureServer({ cert, key, allowHTTP1: true }),
    "a server that was closed, once it listens again": async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      server.close();
      await once(server, "close");
      return server;
    },
  };
  test.each(Object.entries(servers))("%s", async (_name, make) => {
    const server = await make();
    await using gateway = await startTestGateway({ listen: false, server });
    expect(gateway.diagnostics.health().isReady).toBe(false);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    expect(gateway.diagnostics.health().isReady).toBe(true);
    const { port } = server.address() as AddressInfo;
    const url = `${gateway.address?.url}/websocket?vsn=2.0.0`;
    expect(url).toContain(`:${port}/`);
    const client = await connectRaw(url, { rejectUnauthorized: false });
    expect(await client.join("api:lobby")).toMatchObject({ status: "ok" });
    await client.close();
    server.close();
  });
});
