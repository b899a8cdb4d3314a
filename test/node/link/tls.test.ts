import { once } from "node:events";
import { get } from "node:http";
import { type Socket, connect as tcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { link } from "../../../src/node/link/link.ts";
import type { GatewayLinkOptions, LinkListenOptions } from "../../../src/node/link/link-options.ts";
import type { TransportScope } from "../../../src/node/node-transport.ts";
import { createAuthority } from "../../support/network/certificates.ts";
import { recordEvents } from "../../support/record-events.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { until } from "../../support/until.ts";
import { createScope, openNode } from "./open-link.ts";

const authority = createAuthority();
const gatewayCertificate = authority.issue("gateway", "127.0.0.1", "localhost");

/** A gateway's link on a port of its own. */
async function listening(
  listen: Partial<LinkListenOptions> = {},
  more: Partial<TransportScope> = {},
  limits: Pick<GatewayLinkOptions, "maxConnections"> = {},
) {
  const { scope, ends, failures } = createScope({ hasToken: true, ...more });
  const endpoint = link({ ...limits, listen: { port: 0, ...listen } }).openGateway(scope);
  await endpoint.ready;
  const { url, port } = endpoint.address as { url: string; port: number };
  return { endpoint, ends, failures, url, port, [Symbol.dispose]: () => endpoint.close() };
}

/** Why a node does not reach its gateway. */
async function whyNot(open: () => Disposable): Promise<string> {
  using retries = recordEvents("node.link.retry");
  using _node = open();
  await until(() => retries.messages.length > 0);
  return (retries.messages as { metadata: unknown }[] as { metadata: { reason: string } }[])[0]?.metadata.reason ?? "";
}

describe("a link on a port of its own", () => {
  it("says where it listens, and takes nodes there alone", async () => {
    using gateway = await listening();
    expect(gateway.endpoint).toMatchObject({
      address: { host: "127.0.0.1", port: expect.any(Number), url: `ws://127.0.0.1:${gateway.port}/node` },
    });
    expect(gateway.endpoint.upgrade).toBeUndefined();
    using node = openNode({ gateways: [gateway.url] });
    const [atNode, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
    atNode.pipe.send(Buffer.from("hello"));
    expect(String(await atGateway.messages.next())).toBe("hello");
    expect(await whyNot(() => openNode({ gateways: [`${gateway.url}/other`] }))).toBe(
      "Unexpected server response: 404",
    );
    node.endpoint.close();
  });

  it("answers other requests and hangs up", async () => {
    using gateway = await listening();
    const [response] = await once(get({ port: gateway.port, path: "/node" }), "response");
    expect([response.statusCode, response.headers.connection]).toEqual([404, "close"]);
    response.resume();
  });

  it("says what came that is no HTTP, TLS for example, and answers what it can", async () => {
    using gateway = await listening();
    using refused = recordEvents("node.link.refuse");
    const nonsense = tcp(gateway.port, "127.0.0.1");
    nonsense.write("nonsense\r\n\r\n");
    const [answer] = await once(nonsense, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    await once(nonsense, "close");
    expect(await whyNot(() => openNode({ gateways: [gateway.url.replace("ws", "wss")] }))).toMatch(
      /disconnected|ECONNRESET|wrong version/,
    );
    expect(refused.messages.map(({ metadata }) => metadata)).toMatchObject([
      { status: 400, reason: "it does not speak HTTP: Parse Error: Invalid method encountered" },
      { status: null, reason: "it spoke TLS to a port that has none: its URL must begin with ws://" },
    ]);
  });

  it("closes its port, its links and whoever is about to speak", async () => {
    using gateway = await listening();
    using node = openNode({ gateways: [gateway.url] });
    const end = await node.ends.next();
    const idle = tcp(gateway.port, "127.0.0.1");
    idle.on("error", () => idle.destroy());
    await once(idle, "connect");
    // Accepted, as who comes later is.
    await once(get({ port: gateway.port }), "response");
    const closed = once(idle, "close");
    gateway.endpoint.close();
    expect(gateway.endpoint.address).toBeUndefined();
    expect(await end.ended).toBe("the other end closed: the gateway closes its transport");
    await closed;
    node.endpoint.close();
  });

  it.each(["without", "with"])("keeps no node out for sockets that say nothing, %s TLS", async (tls) => {
    const { cert, key } = createAuthority().issue("gateway", "127.0.0.1");
    using drops = recordEvents("connection.drop");
    using gateway = await listening(tls === "with" ? { tls: { cert, key } } : {});
    const silent = Array.from({ length: 400 }, () => tcp(gateway.port, "127.0.0.1"));
    for (const socket of silent) socket.on("error", () => socket.destroy()).resume();
    await until(() => silent.filter((socket) => socket.destroyed).length === 400 - 128);
    // The oldest first.
    expect(silent.findLastIndex((socket) => socket.destroyed)).toBeLessThan(
      silent.findIndex((each) => !each.destroyed),
    );
    expect(drops.messages[0]?.metadata).toEqual({ gateway: "test", listener: "nodes", network: "127.0.0.1" });
    if (tls === "without") {
      using node = openNode({ gateways: [gateway.url] });
      await node.ends.next();
      node.endpoint.close();
    }
    for (const socket of silent) socket.destroy();
  });

  it("that is taken is told, once to who waits and once to its owner", async () => {
    using gateway = await listening();
    const { scope, failures } = createScope();
    const second = link({ listen: { port: gateway.port } }).openGateway(scope);
    const error = {
      code: "listen_failed",
      message: `Cannot listen for service nodes on 127.0.0.1 port ${gateway.port}: it is in use already (EADDRINUSE); end what uses it, or change the option cluster.listen`,
    };
    await expect(second.ready).rejects.toMatchObject(error);
    expect(failures).toMatchObject([error]);
    second.close();
  });

  it("closed before it listens is told to who waits, and fails nobody", async () => {
    const { scope, failures } = createScope();
    const endpoint = link({ listen: { port: 0 } }).openGateway(scope);
    endpoint.close();
    await expect(endpoint.ready).rejects.toMatchObject({ code: "stopped" });
    expect(failures).toEqual([]);
  });
});

describe("a link with TLS", () => {
  const { cert, key } = gatewayCertificate;

  it("is open to nodes that trust its certificate", async () => {
    using gateway = await listening({ tls: { cert, key } });
    expect(gateway.url).toMatch(/^wss:\/\/127\.0\.0\.1:/);
    using node = openNode({ gateways: [gateway.url], tls: { ca: authority.cert } });
    const [atNode, atGateway] = await Promise.all([node.ends.next(), gateway.ends.next()]);
    const message = Buffer.alloc(1_000_000, "x");
    atGateway.isUp = true;
    atNode.isUp = true;
    atNode.pipe.send(message);
    expect((await atGateway.messages.next()).equals(message)).toBe(true);
    atGateway.pipe.send(message);
    expect((await atNode.messages.next()).equals(message)).toBe(true);
    atNode.pipe.close("done");
    expect(await atGateway.ended).toBe("the other end closed: done");
    node.endpoint.close();
  });

  it.each([true, false])("tells which messages have certainly not arrived when it is lost", async (isIdleFirst) => {
    using gateway = await listening({ tls: { cert, key } });
    const client = new WebSocket(gateway.url, "gen-api.node.1", { ca: authority.cert });
    const end = await gateway.ends.next();
    end.isUp = true;
    let arrived = 0;
    client.on("message", () => {
      arrived += 1;
    });
    // Else everything comes right behind the answer to the upgrade.
    if (isIdleFirst) {
      end.pipe.send(Buffer.alloc(0));
      await until(() => arrived === 1);
    }
    for (let n = 0; n < 500; n++) end.pipe.send(Buffer.alloc(100_000));
    await until(() => arrived > 10);
    for (let n = 0; n < 10; n++) end.pipe.send(Buffer.alloc(100_000));
    client.terminate();
    await end.ended;
    const { undeliveredFrom } = end.ends[0] as { undeliveredFrom: number };
    expect(undeliveredFrom).toBeGreaterThanOrEqual(arrived);
    expect(undeliveredFrom).toBeLessThanOrEqual(isIdleFirst ? 501 : 510);
  });

  it("is not open to a node that does not trust its certificate, or asked for another host", async () => {
    using gateway = await listening({ tls: { cert, key } });
    expect(await whyNot(() => openNode({ gateways: [gateway.url] }))).toMatch(
      /^the gateway's certificate is not trusted/,
    );
    const plain = gateway.url.replace("wss:", "ws:");
    expect(await whyNot(() => openNode({ gateways: [plain] }))).toMatch(/its URL must begin with wss:\/\//);
    const other = authority.issue("other", "gateway.example");
    using elsewhere = await listening({ tls: other });
    const tls = { ca: authority.cert };
    expect(await whyNot(() => openNode({ gateways: [elsewhere.url], tls }))).toMatch(/does not match certificate/);
    using node = openNode({ gateways: [elsewhere.url], tls: { ...tls, servername: "gateway.example" } });
    await node.ends.next();
    node.endpoint.close();
  });

  it("that is closed hangs up on who is about to speak TLS", async () => {
    using gateway = await listening({ tls: { cert, key } });
    using node = openNode({ gateways: [gateway.url], tls: { ca: authority.cert } });
    const [idle, end] = [tcp(gateway.port, "127.0.0.1"), await node.ends.next()];
    const closed = once(idle, "close");
    gateway.endpoint.close();
    await closed;
    // Those that were open take their leave.
    expect(await end.ended).toBe("the other end closed: the gateway closes its transport");
    node.endpoint.close();
  });

  it("is not open to plain sockets, and says so", async () => {
    using gateway = await listening({ tls: { cert, key } });
    using refused = recordEvents("node.link.refuse");
    expect(await whyNot(() => openNode({ gateways: [gateway.url.replace("wss", "ws")] }))).toMatch(
      /hang up|ECONNRESET/,
    );
    expect(refused.messages[0]).toMatchObject({
      metadata: {
        gateway: "test",
        address: expect.stringContaining("127.0.0.1"),
        status: null,
        reason: "it spoke without TLS to a port that has TLS: its URL must begin with wss://",
      },
    });
  });

  it("says whose TLS failed, and why, but nothing of who just looks whether the port is open", async () => {
    const tls = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
    using gateway = await listening({ tls });
    using refused = recordEvents("node.link.refuse");
    const reasons = () => refused.messages.map(({ metadata }) => (metadata as { reason: string }).reason);
    const come = async (socket: Socket) => {
      const before = reasons().length;
      socket.on("error", () => socket.destroy());
      await until(() => reasons().length > before);
      socket.destroy();
    };
    const { port } = gateway;
    for (let probe = 0; probe < 3; probe += 1) {
      const socket = tcp(port, "127.0.0.1");
      await once(socket, "connect");
      socket.destroy();
    }
    await come(connectTls({ port, ca: authority.cert }));
    await come(connectTls({ port, ca: authority.cert, ...createAuthority("Strangers").issue("users") }));
    await come(connectTls({ port }));
    await come(tcp(port, "127.0.0.1").end("no TLS, no HTTP\r\n\r\n"));
    expect(reasons()).toEqual([
      "it has no client certificate, and one is required",
      "its client certificate is not accepted: UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "it hung up before it was admitted: where it speaks TLS it may not trust the gateway's certificate",
      "it speaks no TLS",
    ]);
    for (const { metadata } of refused.messages) {
      expect(metadata).toMatchObject({ gateway: "test", address: expect.stringContaining("127.0.0.1"), status: null });
    }
  });

  it("tells of a hundred such failures a minute and no more", async () => {
    const clock = new SimulatedClock();
    using gateway = await listening({ tls: { cert, key } }, { clock });
    using refused = recordEvents("node.link.refuse");
    const fail = async () => {
      const socket = tcp(gateway.port, "127.0.0.1").end("nonsense\r\n\r\n");
      socket.on("error", () => socket.destroy());
      socket.resume();
      await once(socket, "close");
    };
    for (let count = 0; count < 120; count += 1) await fail();
    expect(refused.messages).toHaveLength(100);
    clock.advance(60_000);
    await fail();
    await until(() => refused.messages.length === 101);
  });

  it("can ask nodes for certificates: mutual TLS", async () => {
    const nodes = createAuthority("Nodes");
    const strangers = createAuthority("Strangers");
    const tls = { cert, key, ca: nodes.cert, requestCert: true, rejectUnauthorized: true };
    using gateway = await listening({ tls });
    const own = nodes.issue("users");
    using node = openNode({ gateways: [gateway.url], tls: { ca: authority.cert, ...own } });
    await Promise.all([node.ends.next(), gateway.ends.next()]);
    for (const certificate of [{}, strangers.issue("users"), gatewayCertificate]) {
      const reason = await whyNot(() =>
        openNode({ gateways: [gateway.url], tls: { ca: authority.cert, ...certificate } }),
      );
      // Which of them Node tells, and whether it tells more than a reset, is a matter of time.
      expect(reason).toMatch(/client certificate|this node's certificate/);
      expect(reason).not.toContain("\n");
    }
    expect(gateway.ends.size).toBe(0);
    node.endpoint.close();
  });
});
