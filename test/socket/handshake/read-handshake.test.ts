import { request as httpRequest } from "node:http";
import { connect as tcp } from "node:net";
import { describe, expect, it } from "vitest";
import { GenApiError } from "../../../src/core/errors.ts";
import type { ConnectRequest } from "../../../src/socket/handshake/socket-options.ts";
import { listenTo, openGateway } from "../open-gateway.ts";

const refused = (status: number) => ({ status, body: "" });

/** The status line and body of a raw HTTP request to a gateway. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tcp(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

function get(url: string, method = "GET"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url.replace("ws:", "http:"), { method, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on("error", reject);
    request.end();
  });
}

describe("the version", () => {
  it.each(["vsn=3.0.0", "vsn=x", "vsn[]=2.0.0", "vsn[a]=2.0.0", "vsn=", "vsn=2.0.0&vsn=9.0.0"])(
    "in %s is refused with 403 and no body, and connect is not asked",
    async (query) => {
      let asked = 0;
      await using gateway = await openGateway({ connect: () => ({ n: ++asked }) });
      await expect(gateway.connect(query)).rejects.toMatchObject(refused(403));
      expect(asked).toBe(0);
    },
  );

  it("is 1.0.0 when none is named, and such a client is spoken to in objects", async () => {
    await using gateway = await openGateway();
    for (const query of ["", "vsn=1.0.0"]) {
      const client = await gateway.connect(query);
      const frames = client.frames as unknown[];
      client.send({ topic: "api:a", event: "phx_join", payload: {}, ref: "1" });
      client.send({ topic: "api:a", event: "api", payload: { x: 1 }, ref: 2 });
      client.send({ topic: "api:a", event: "phx_leave", payload: {}, ref: null });
      client.send({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "end" });
      await client.next((frame) => (frame as unknown as { ref: unknown }).ref === "end");
      const ok = { status: "ok", response: {} };
      expect(frames).toEqual([
        { topic: "api:a", event: "phx_reply", ref: "1", payload: ok },
        { topic: "api:a", event: "api", ref: null, payload: { x: 1 } },
        { topic: "api:a", event: "phx_reply", ref: 2, payload: { status: "ok", response: "echo" } },
        { topic: "api:a", event: "phx_reply", ref: null, payload: ok },
        { topic: "api:a", event: "phx_close", ref: "1", payload: {} },
      ]);
    }
  });
});

describe("connect", () => {
  it("is told the params, nested, and harmless whatever their names", async () => {
    let seen: ConnectRequest | undefined;
    await using gateway = await openGateway({
      connect: (request) => {
        seen = request;
        return {};
      },
    });
    await gateway.connect("vsn=2.0.0&a[b]=1&a[c][]=2&a[c][]=3&__proto__[x]=4&constructor=5&k=1&k=2");
    expect(JSON.stringify(seen?.params)).toBe(
      '{"vsn":"2.0.0","a":{"b":"1","c":["2","3"]},"__proto__":{"x":"4"},"constructor":"5","k":"2"}',
    );
    expect(({} as { x?: unknown }).x).toBeUndefined();
    expect(seen?.authToken).toBeNull();
    expect(seen?.request.headers.host).toBe(new URL(gateway.url).host);
  });

  it.each(["tok/en==", "a", "\u00ff\u00fe?\u007f~é", "eyJhbGciOiJIUzI1NiJ9.e30.abc_-", "x".repeat(8_000)])(
    "is told the token %j of Sec-WebSocket-Protocol, which nothing else sees",
    async (token) => {
      let seen: ConnectRequest | undefined;
      await using gateway = await openGateway({
        connect: (request) => {
          seen = request;
          return {};
        },
      });
      const encoded = Buffer.from(token).toString("base64").replaceAll("=", "");
      const port = new URL(gateway.url).port;
      const socket = tcp(Number(port), "127.0.0.1");
      // The ws client refuses to send a "/" there, which browsers' btoa can make.
      socket.write(
        `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
          `Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.${encoded}\r\n\r\n`,
      );
      const answer = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
      expect(answer).toContain("HTTP/1.1 101");
      expect(answer).toContain("Sec-WebSocket-Protocol: phoenix\r\n");
      expect(seen?.authToken).toBe(token);
      expect(seen?.request.headers["sec-websocket-protocol"]).toBe("phoenix");
      socket.destroy();
    },
  );

  it("is not asked when the token is not base64", async () => {
    await using gateway = await openGateway();
    const protocols = ["phoenix", "base64url.bearer.phx.a!b"];
    await expect(gateway.connect("vsn=2.0.0", { protocols })).rejects.toMatchObject(refused(403));
  });

  it.each([
    ["returns null", 403, () => null],
    ["resolves to null", 403, async () => null],
    [
      "throws a GenApiError",
      403,
      () => {
        throw new GenApiError("banned", "You are banned");
      },
    ],
    [
      "throws anything else",
      500,
      () => {
        throw new Error("database down");
      },
    ],
    [
      "rejects",
      500,
      async () => {
        throw "database down";
      },
    ],
    ["returns nothing", 500, () => undefined as never],
    ["returns a user id that is no string", 500, () => ({ userId: 1 }) as never],
    ["returns roles that are no list", 500, () => ({ userRoles: "admin" }) as never],
    ["does not return in time", 503, () => new Promise<never>(() => undefined)],
  ])("that %s refuses with %i and an empty body, and says why in telemetry", async (_what, status, connect) => {
    using refusals = listenTo("connection.refuse");
    await using gateway = await openGateway({ connect, connectTimeoutMs: 50 });
    await expect(gateway.connect()).rejects.toMatchObject(refused(status));
    expect(refusals.messages).toHaveLength(1);
    expect(refusals.messages[0]?.metadata).toMatchObject({ gateway: "test", ip_address: "127.0.0.1", status });
    if (status === 500) expect(refusals.messages[0]?.metadata.error).toBeInstanceOf(Error);
  });
});

describe("the origin", () => {
  it.each([
    ["of the same host", undefined, (host: string) => `http://${host}`, true],
    ["of another host", undefined, () => "http://evil.example", false],
    ["of another port", undefined, () => "http://127.0.0.1:1", false],
    ["null", undefined, () => "null", false],
    ["of anywhere, when any may", "any", () => "http://evil.example", true],
    ["that is listed", ["https://app.example"], () => "https://app.example", true],
    ["listed, of another scheme", ["https://app.example"], () => "http://app.example", false],
    ["listed without scheme", ["//app.example"], () => "http://app.example:8080", true],
    ["of a subdomain", ["//*.app.example"], () => "https://a.b.app.example", true],
    ["of the domain itself", ["//*.app.example"], () => "https://app.example", true],
    ["that only ends alike", ["//*.app.example"], () => "https://evilapp.example", false],
    ["of another port than the listed", ["https://app.example:8443"], () => "https://app.example", false],
  ] as const)("%s", async (_what, allowedOrigins, origin, isAllowed) => {
    await using gateway = await openGateway(allowedOrigins === undefined ? {} : { allowedOrigins });
    const connecting = gateway.connect("vsn=2.0.0", { origin: origin(new URL(gateway.url).host) });
    if (isAllowed) await connecting;
    else await expect(connecting).rejects.toMatchObject(refused(403));
  });

  it.each(["app.example", "https://", "https://a.example/path", "//a.*.example", "https://a.example:x", "*"])(
    "cannot be listed as %j",
    async (origin) => {
      await expect(openGateway({ allowedOrigins: [origin] })).rejects.toMatchObject({
        code: "invalid_option",
        message: `allowedOrigins must list origins such as "https://a.example", got ${JSON.stringify(origin)}`,
      });
    },
  );

  it("is looked at before anything else", async () => {
    using refusals = listenTo("connection.refuse");
    await using gateway = await openGateway({ connect: () => null });
    await expect(gateway.connect("vsn=9.9.9", { origin: "http://evil.example" })).rejects.toMatchObject(refused(403));
    expect(refusals.messages[0]?.metadata.reason).toBe("the origin is not allowed");
  });
});

describe("the number of connections", () => {
  it("is bounded in all, and a closed one makes room", async () => {
    await using gateway = await openGateway({ maxConnections: 2 });
    const first = await gateway.connect();
    await gateway.connect();
    await expect(gateway.connect()).rejects.toMatchObject(refused(503));
    using closed = listenTo("connection.close");
    await first.close();
    await expect.poll(() => closed.messages.length).toBe(1);
    await gateway.connect();
  });

  it("is bounded for one address, sockets counted whose connect is under way", async () => {
    await using gateway = await openGateway({
      maxConnectionsPerAddress: 1,
      connect: () => new Promise(() => undefined),
    });
    const first = gateway.connect();
    first.catch(() => undefined);
    await expect(gateway.connect()).rejects.toMatchObject(refused(429));
  });

  it("does not grow by what was refused", async () => {
    let isOpen = false;
    await using gateway = await openGateway({ maxConnections: 1, connect: () => (isOpen ? {} : null) });
    for (let n = 0; n < 5; n++) await expect(gateway.connect()).rejects.toMatchObject(refused(403));
    isOpen = true;
    await gateway.connect();
  });
});

describe("the address of a client", () => {
  it("is the peer's, or what a trusted proxy says, for limits and callers alike", async () => {
    const headers = { "x-forwarded-for": "6.6.6.6, 1.1.1.1" };
    await using trusting = await openGateway({ trustProxy: 1, maxConnectionsPerAddress: 1 });
    const client = await trusting.connect("vsn=2.0.0", { headers });
    await expect(trusting.connect("vsn=2.0.0", { headers })).rejects.toMatchObject(refused(429));
    await trusting.connect();
    await client.join("api:a");
    client.send(["1", "2", "api:a", "api", {}]);
    await client.reply("2");
    expect(trusting.handled[0]?.caller.ipAddress).toBe("1.1.1.1");
    await using wary = await openGateway({ maxConnectionsPerAddress: 1 });
    await wary.connect("vsn=2.0.0", { headers });
    await expect(wary.connect()).rejects.toMatchObject(refused(429));
  });
});

describe("a request that is no upgrade", () => {
  it("is told what the socket's path is for, and 404 elsewhere", async () => {
    await using gateway = await openGateway();
    const { status, body } = await get(`${gateway.url}/websocket`);
    expect([status, body]).toEqual([400, "This is a WebSocket endpoint: a request must ask for an upgrade.\n"]);
    expect((await get(gateway.url)).status).toBe(404);
    expect((await get(`${gateway.url}/websocket/x`)).status).toBe(404);
  });

  it.each([
    [
      "another path",
      "GET /other HTTP/1.1",
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      404,
    ],
    ["a missing key", "GET /socket/websocket HTTP/1.1", "Sec-WebSocket-Version: 13", 400],
    [
      "a version of WebSocket nobody speaks",
      "GET /socket/websocket HTTP/1.1",
      "Sec-WebSocket-Version: 1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      400,
    ],
  ])("an upgrade with %s is refused", async (_what, line, headers, status) => {
    await using gateway = await openGateway();
    const port = Number(new URL(gateway.url).port);
    const answer = await raw(
      port,
      `${line}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("what telemetry says of a connection", () => {
  it("names it, its address and version, and never shows a token", async () => {
    using opened = listenTo("connection.open");
    using closed = listenTo("connection.close");
    await using gateway = await openGateway();
    const client = await gateway.connect("vsn=2.0.0&token=s3cret&user[password]=s3cret&a=1");
    client.socket.close(4_000, "bye");
    await expect.poll(() => closed.messages.length).toBe(1);
    expect(opened.messages[0]?.metadata).toEqual({
      gateway: "test",
      connection: "connection_1",
      ip_address: "127.0.0.1",
      vsn: "2.0.0",
      params: { vsn: "2.0.0", token: "[FILTERED]", user: { password: "[FILTERED]" }, a: "1" },
    });
    expect(closed.messages[0]?.metadata).toEqual({
      gateway: "test",
      connection: "connection_1",
      code: 4_000,
      reason: "bye",
    });
    expect(JSON.stringify([opened.messages, closed.messages])).not.toContain("s3cret");
  });
});
