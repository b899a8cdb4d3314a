import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type NatsOptions, nats } from "../../../src/node/nats/nats.ts";
import type { Endpoint } from "../../../src/node/node-transport.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { recordEvents } from "../../support/record-events.ts";
import { until } from "../../support/until.ts";
import { createGatewayHost, createNodeHost } from "../sessions.ts";
import { openSockets, watchSockets } from "./open-sockets.ts";
import { RecordingScope } from "./recording-scope.ts";

const signingKey = "a key of the gateways, 32 characters or more";

/** Both ends over one server, with one open pipe; closed at the end of the `using` block. */
async function openPipe(server: NatsServer, options: NatsOptions = {}) {
  const gateway = new RecordingScope("gateway@a");
  const node = new RecordingScope("users@b");
  const watched = watchSockets();
  const gatewayEndpoint = nats({ servers: server.url, signingKey, announceMs: 100, ...options }).openGateway(gateway);
  const nodeEndpoint = nats({ servers: server.url, ...options }).openNode(node);
  const [atGateway, atNode] = await Promise.all([gateway.next(), node.next()]);
  return {
    gateway,
    node,
    atGateway,
    atNode,
    gatewayEndpoint,
    nodeEndpoint,
    /** Ends the connections to the server as a process that dies does: without a word. */
    cut() {
      for (const socket of watched.sockets.splice(0)) socket.destroy();
    },
    [Symbol.dispose]() {
      watched[Symbol.dispose]();
      gatewayEndpoint.close();
      nodeEndpoint.close();
    },
  };
}

/** A server that takes connections, and says nothing. */
async function silentServer() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The connection to the server of "gateway" or "node". */
async function connectionOf(server: NatsServer, role: "gateway" | "node") {
  return (await server.connections()).find(({ name }) => name?.startsWith(`gen-api ${role}`));
}

describe("a pipe over NATS", () => {
  let server: NatsServer;
  let spy: NatsConnection;
  /** Everything that passes the server: where, and where answers would go. */
  const seen: { subject: string; reply: string; data: Uint8Array }[] = [];

  beforeAll(async () => {
    server = await NatsServer.start();
    spy = await connect({ servers: server.url });
    spy.subscribe("gen_api.>", {
      callback: (_, { subject, reply = "", data }) => void seen.push({ subject, reply, data }),
    });
    await spy.flush();
  });
  afterAll(async () => {
    await spy.close();
    await server[Symbol.asyncDispose]();
  });

  test("says who can have sent, and that all of it is on this machine", async () => {
    using pipe = await openPipe(server);
    expect(pipe.atGateway.pipe).toMatchObject({ peerName: "users@b", peer: "users@b over NATS", isLoopback: true });
    expect(pipe.atNode.pipe).toMatchObject({ peer: "gateway@a over NATS", isLoopback: true });
  });

  test("carries a message of 12 MB in parts that the server takes", async () => {
    using pipe = await openPipe(server);
    seen.length = 0;
    const large = Buffer.alloc(12_000_000, "0123456789abcdef");
    pipe.atNode.pipe.send(Buffer.from("before"));
    pipe.atNode.pipe.send(large);
    pipe.atNode.pipe.send(Buffer.from("after"));
    await pipe.atGateway.count(3);
    expect(large.equals(pipe.atGateway.messages[1] as Uint8Array)).toBe(true);
    expect([pipe.atGateway.texts()[0], pipe.atGateway.texts()[2]]).toEqual(["before", "after"]);
    const sizes = seen.filter(({ subject }) => subject.endsWith(".m")).map(({ data }) => data.length);
    expect(Math.max(...sizes)).toBe(1_048_576);
  });

  test("takes no more than 64 KiB of an end that has not proven who it is", async () => {
    using pipe = await openPipe(server);
    pipe.atGateway.isUp = false;
    pipe.atNode.pipe.send(Buffer.alloc(65_536));
    await pipe.atGateway.count(1);
    pipe.atNode.pipe.send(Buffer.alloc(2_000_000));
    expect((await pipe.atGateway.ended).reason).toBe("a message of more than 65536 bytes came");
    expect(await pipe.atNode.ended).toEqual({
      reason: "a message of more than 65536 bytes came",
      undeliveredFrom: 1,
    });
  });

  test("closes on both sides when a message is missing, and says from which on none was delivered", async () => {
    using pipe = await openPipe(server);
    seen.length = 0;
    pipe.atNode.pipe.send(Buffer.from("0"));
    await pipe.atGateway.count(1);
    const isFirst = ({ reply }: { reply: string }) => reply.endsWith(".0");
    await until(() => seen.some(isFirst));
    // As if message 1 had been lost on the way.
    const { subject, reply } = seen.find(isFirst) as (typeof seen)[number];
    spy.publish(subject, Buffer.from("2"), { reply: reply.replace(/0$/, "2") });
    expect((await pipe.atGateway.ended).reason).toMatch("message 2 came where 1 was to come");
    expect((await pipe.atNode.ended).reason).toMatch("message 2 came where 1 was to come");
    expect(pipe.atGateway.texts()).toEqual(["0"]);
  });

  test("learns at once that the gateway's process is gone, and which of its messages nobody heard", async () => {
    // The spy hears everything, so that somebody would always listen.
    await using other = await NatsServer.start();
    const gateway = new RecordingScope("gateway@a");
    const node = new RecordingScope("users@b");
    using watched = watchSockets();
    const gatewayEndpoint = nats({ servers: other.url, signingKey }).openGateway(gateway);
    await until(() => watched.sockets.length === 1);
    const nodeEndpoint = nats({ servers: other.url }).openNode(node);
    const pipe = { atGateway: await gateway.next(), atNode: await node.next() };
    pipe.atNode.pipe.send(Buffer.from("heard"));
    await pipe.atGateway.count(1);
    // A process that dies says nothing: its connection ends.
    const before = await connectionOf(other, "gateway");
    watched.sockets[0]?.destroy();
    await until(async () => (await connectionOf(other, "gateway"))?.cid !== before?.cid);
    pipe.atNode.pipe.send(Buffer.from("not heard"));
    pipe.atNode.pipe.send(Buffer.from("not heard either"));
    expect(await pipe.atNode.ended).toEqual({ reason: "the other end has no listener", undeliveredFrom: 1 });
    gatewayEndpoint.close();
    nodeEndpoint.close();
  });

  test("says, when one end closes, which of the other's messages did not reach it", async () => {
    using pipe = await openPipe(server);
    pipe.atNode.pipe.send(Buffer.from("heard"));
    await pipe.atGateway.count(1);
    pipe.atGateway.pipe.close("enough");
    pipe.atNode.pipe.send(Buffer.from("not heard"));
    expect(await pipe.atNode.ended).toEqual({ reason: "enough", undeliveredFrom: 1 });
    expect(await pipe.atGateway.ended).toEqual({ reason: "enough", undeliveredFrom: 0 });
  });

  test("knows that a message for which it closes has not left, and none after it", async () => {
    using pipe = await openPipe(server);
    pipe.atNode.pipe.send(Buffer.from("heard"));
    await pipe.atGateway.count(1);
    pipe.atNode.pipe.send(Buffer.alloc(64 * 1024 * 1024 + 1));
    expect(await pipe.atNode.ended).toEqual({
      reason: "a message of 67108865 bytes was to be sent; 67108864 are allowed",
      undeliveredFrom: 1,
    });
    expect(pipe.atGateway.texts()).toEqual(["heard"]);
  });

  test("is refused beyond eight of one node, and nothing is kept of those", async () => {
    using pipe = await openPipe(server);
    const others = Array.from({ length: 8 }, () => new RecordingScope("users@b"));
    const endpoints = others.map((scope) => nats({ servers: server.url }).openNode(scope));
    await until(() => pipe.gateway.ends.length === 8);
    // The ninth dials, is refused and dials again; when another one goes, it is let in.
    await until(() => others.filter(({ ends }) => ends.length > 0).length === 7);
    pipe.nodeEndpoint.close();
    await until(() => others.every(({ ends }) => ends.length > 0));
    for (const endpoint of endpoints) endpoint.close();
    expect(pipe.gateway.failures).toEqual([]);
  });

  test("lets a node in under no other name than the one that its subjects carry", async () => {
    const gateway = createGatewayHost({ pushToken: "secret" });
    const node = createNodeHost({ token: "secret", node: "orders@c" });
    const scope = (name: string, connected: RecordingScope["connected"]) =>
      Object.assign(new RecordingScope(name), { connected });
    const open = [
      nats({ servers: server.url, signingKey }).openGateway(scope("gateway@a", gateway.connected)),
      nats({ servers: server.url }).openNode(scope("users@b", node.connected)),
    ];
    await until(() => node.refusals.length > 0);
    expect(node.refusals[0]).toMatchObject({ code: "permission_denied" });
    expect(gateway.table.list()).toEqual([]);
    for (const endpoint of open) endpoint.close();
  });

  test("leaves no socket and no subscription behind when both ends close", async () => {
    await using other = await NatsServer.start();
    {
      using pipe = await openPipe(other);
      pipe.atNode.pipe.send(Buffer.from("something"));
      await pipe.atGateway.count(1);
    }
    // The spy's own connection is left.
    expect(await openSockets(1)).toBe(1);
  });
});

describe("gateways and nodes over NATS", () => {
  test("start while no server is there, and meet when it comes", async () => {
    await using server = await NatsServer.prepare();
    using errors = recordEvents("node.transport.error");
    const gateway = new RecordingScope("gateway@a");
    const node = new RecordingScope("users@b");
    const open = [
      nats({ servers: server.url, signingKey }).openGateway(gateway),
      nats({ servers: server.url }).openNode(node),
    ];
    await until(
      () => new Set(errors.messages.map(({ metadata }) => (metadata as { program: string }).program)).size === 2,
    );
    await server.restart();
    const end = await node.next();
    end.pipe.send(Buffer.from("here"));
    const there = await gateway.next();
    await there.count(1);
    for (const endpoint of open) endpoint.close();
    expect([...gateway.failures, ...node.failures]).toEqual([]);
    expect(await openSockets()).toBe(0);
  });

  test("say which server they do not reach, at first and when it is lost", async () => {
    await using server = await NatsServer.prepare();
    using errors = recordEvents("node.transport.error");
    const told = () => errors.messages.map(({ metadata }) => metadata as { servers: string[]; error: Error });
    const node = new RecordingScope("users@b");
    const endpoint = nats({ servers: server.url }).openNode(node);
    await until(() => told().length > 1);
    expect(told()[0]).toMatchObject({
      program: "users@b",
      servers: [server.url],
      error: {
        code: "unavailable",
        message: `No connection to NATS: connection refused (connect ECONNREFUSED 127.0.0.1:${server.port})`,
      },
    });
    await server.restart();
    const gateway = nats({ servers: server.url, signingKey }).openGateway(new RecordingScope("gateway@a"));
    await node.next();
    gateway.close();
    errors.messages.length = 0;
    await server.signal("SIGKILL");
    await until(() => told().length > 1);
    const at = `127.0.0.1:${server.port}`;
    expect(told()[0]?.error.message).toBe(`Lost the connection to NATS at ${at}`);
    expect(told()[1]?.error.message).toBe(`No connection to NATS at ${at}`);
    endpoint.close();
    const count = told().length;
    expect(await openSockets()).toBe(0);
    expect(told()).toHaveLength(count);
  });

  test("can be closed while no server is there, and while one is there that says nothing", async () => {
    await using server = await NatsServer.start();
    const never = nats({ servers: "127.0.0.1:1" }).openNode(new RecordingScope("users@b"));
    never.close();
    await server.signal("SIGSTOP");
    using watched = watchSockets();
    const { sockets } = watched;
    const silent = nats({ servers: server.url }).openNode(new RecordingScope("users@b"));
    await until(() => sockets.length > 0);
    silent.close();
    expect(await openSockets()).toBe(0);
    await server.signal("SIGCONT");
  });

  test("leave no socket to the next server that says nothing, which the client dials after the close", async () => {
    const servers = await Promise.all([silentServer(), silentServer()]);
    using watched = watchSockets();
    const node = nats({ servers: servers.map(({ url }) => url) }).openNode(new RecordingScope("users@b"));
    await until(() => watched.sockets.length === 1);
    node.close();
    await until(() => watched.sockets.length === 2);
    expect(await openSockets()).toBe(0);
    for (const { server } of servers) server.close();
  });

  test("lose their pipes when the server is killed, and make new ones when it is back", async () => {
    await using server = await NatsServer.start();
    using pipe = await openPipe(server);
    await server.signal("SIGKILL");
    expect(await pipe.atNode.ended).toEqual({ reason: "the connection to NATS was lost", undeliveredFrom: 0 });
    await pipe.atGateway.ended;
    pipe.atNode.pipe.send(Buffer.from("nobody hears this, now or later"));
    await server.restart();
    const [atGateway, atNode] = await Promise.all([pipe.gateway.next(), pipe.node.next()]);
    atNode.pipe.send(Buffer.from("again"));
    atGateway.pipe.send(Buffer.from("and back"));
    await Promise.all([atGateway.count(1), atNode.count(1)]);
    expect(atGateway.texts()).toEqual(["again"]);
    expect(atNode.texts()).toEqual(["and back"]);
  });

  test("survive ten losses in a row and keep nothing of them", async () => {
    await using server = await NatsServer.start();
    using pipe = await openPipe(server);
    for (let loss = 0; loss < 10; loss += 1) {
      pipe.cut();
      const [atGateway, atNode] = await Promise.all([pipe.gateway.next(), pipe.node.next()]);
      atNode.pipe.send(Buffer.from("again"));
      await atGateway.count(1);
    }
    // The pipe, and two where gateways tell that they are there.
    expect((await connectionOf(server, "node"))?.subscriptions).toBe(3);
    // The pipe, who asks and who opens one, and the answers of JetStream.
    expect((await connectionOf(server, "gateway"))?.subscriptions).toBeLessThanOrEqual(4);
  });

  test("a node finds every gateway, those too that start later, and forgets those that are gone", async () => {
    await using server = await NatsServer.start();
    const node = new RecordingScope("users@b");
    const nodeEndpoint = nats({ servers: server.url }).openNode(node);
    const endpoints: Endpoint[] = [];
    for (const name of ["gateway@1", "gateway@2", "gateway@3"]) {
      const scope = new RecordingScope(name);
      endpoints.push(nats({ servers: server.url, signingKey, announceMs: 100 }).openGateway(scope));
      expect((await node.next()).pipe.peer).toBe(`${name} over NATS`);
    }
    endpoints[1]?.close();
    await node.ends[1]?.ended;
    expect(node.ends).toHaveLength(3);
    for (const endpoint of [...endpoints, nodeEndpoint]) endpoint.close();
    expect(await openSockets()).toBe(0);
  });
});
