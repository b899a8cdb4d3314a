import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { libraryError } from "../../src/core/errors.ts";
import { type Clock, systemClock } from "../../src/core/time/clock.ts";
import type { NestedListener, NestedRequest } from "../../src/execution/call-carrier.ts";
import { ProducerCredit, streamWindow } from "../../src/execution/stream-credit.ts";
import type { RemoteCall } from "../../src/node/calls/remote-call.ts";
import type { GatewaySession, GatewaySessionHost } from "../../src/node/gateway-session.ts";
import { randomNonce } from "../../src/node/greeting/proof.ts";
import type { PushToken } from "../../src/node/greeting/push-token.ts";
import { NodeHandshake } from "../../src/node/greeting/session-handshake.ts";
import type { NodeSession, NodeSessionHost } from "../../src/node/node-session.ts";
import type { Endpoint, GatewayEndpoint, NodeTransport, TransportScope } from "../../src/node/node-transport.ts";
import type { Pipe, PipeReceiver } from "../../src/node/wire/pipe.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { until } from "../support/until.ts";
import { createCall, createGatewayHost, createNodeHost, createStream, ScriptedExecutor } from "./sessions.ts";

/** A transport as the contract's tests use it: made anew for each test. */
export interface TransportUnderTest {
  /** For gateways; may be opened again after it was closed. */
  readonly gateway: NodeTransport;
  /** For nodes that are to reach this gateway, once it is ready. */
  node(gateway: GatewayEndpoint): NodeTransport;
  /** Ends what the test itself started, a broker perhaps. */
  close(): Promise<void>;
  /** Sockets, listeners and subscriptions that are still open; asked when everything was closed. @default none */
  leftBehind?(): number | Promise<number>;
}

/** The real clock, counting the timers that are set. */
class CountingClock implements Clock {
  readonly #timers = new Set<unknown>();

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return systemClock.now();
  }

  systemTime(): number {
    return systemClock.systemTime();
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer = systemClock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer);
    systemClock.clearTimeout(timer);
  }
}

/** A receiver that keeps what it hears. */
class Recorder implements PipeReceiver {
  readonly pipe: Pipe;
  isUp = true;
  readonly messages: Buffer[] = [];
  readonly closes: { reason: string; undeliveredFrom: number | undefined }[] = [];
  onMessage: (message: Buffer) => void = () => undefined;

  constructor(pipe: Pipe) {
    this.pipe = pipe;
  }

  received(message: Uint8Array): void {
    // Valid only during the call.
    const kept = Buffer.from(message);
    this.messages.push(kept);
    this.onMessage(kept);
  }

  closed(reason: string, undeliveredFrom?: number): void {
    this.closes.push({ reason, undeliveredFrom });
  }
}

/** Runs the suite that every {@link NodeTransport} passes, on pipes alone and with sessions on them. */
export function describeTransport(name: string, make: () => TransportUnderTest | Promise<TransportUnderTest>): void {
  let clock: CountingClock;
  let transport: TransportUnderTest;
  let endpoints: Endpoint[];
  /** How often each pipe's end was said to be closed. */
  let closes: number[];
  /** How many messages each end has received. */
  let received: number[];

  beforeEach(async () => {
    clock = new CountingClock();
    endpoints = [];
    closes = [];
    received = [];
    transport = await make();
  });

  afterEach(async () => {
    for (const endpoint of endpoints.reverse()) endpoint.close();
    await until(() => closes.every((count) => count > 0));
    const left = (await transport.leftBehind?.()) ?? 0;
    await transport.close();
    expect({ timers: clock.pending, left, closedTwice: closes.some((count) => count > 1) }).toEqual({
      timers: 0,
      left: 0,
      closedTwice: false,
    });
  });

  function scope(member: string, connected: (pipe: Pipe) => PipeReceiver): TransportScope {
    return {
      name: member,
      clock,
      random: Math.random,
      hasToken: true,
      connected(pipe) {
        const at = closes.push(0) - 1;
        received.push(0);
        const receiver = connected(pipe);
        return {
          get isUp() {
            return receiver.isUp;
          },
          received(message) {
            received[at] = (received[at] as number) + 1;
            receiver.received(message);
          },
          closed(reason, undeliveredFrom) {
            closes[at] = (closes[at] as number) + 1;
            receiver.closed(reason, undeliveredFrom);
          },
        };
      },
      fail(error) {
        throw error;
      },
    };
  }

  async function openGateway(connected: (pipe: Pipe) => PipeReceiver): Promise<GatewayEndpoint> {
    const endpoint = transport.gateway.openGateway(scope("gateway", connected));
    endpoints.push(endpoint);
    await endpoint.ready;
    return endpoint;
  }

  function openNode(gateway: GatewayEndpoint, connected: (pipe: Pipe) => PipeReceiver, node = "node_1"): Endpoint {
    const endpoint = transport.node(gateway).openNode(scope(node, connected));
    endpoints.push(endpoint);
    return endpoint;
  }

  function record(into: Recorder[]): (pipe: Pipe) => Recorder {
    return (pipe) => {
      const recorder = new Recorder(pipe);
      into.push(recorder);
      return recorder;
    };
  }

  /** A pipe with a recorder at each end. */
  async function openPipe() {
    const gatewayEnds: Recorder[] = [];
    const nodeEnds: Recorder[] = [];
    const gateway = await openGateway(record(gatewayEnds));
    const node = openNode(gateway, record(nodeEnds));
    await until(() => gatewayEnds.length > 0 && nodeEnds.length > 0);
    return { gateway, node, gatewayEnds, nodeEnds, there: gatewayEnds[0] as Recorder, here: nodeEnds[0] as Recorder };
  }

  describe(`a pipe over ${name}`, () => {
    test("carries messages whole and in order, both ways at once, from nothing to 12 MB", async () => {
      const { here, there } = await openPipe();
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 0, 1_048_577, 12_000_000, 3];
      const messages = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      for (const message of messages) {
        here.pipe.send(message);
        there.pipe.send(message);
      }
      await until(() => here.messages.length === sizes.length && there.messages.length === sizes.length);
      for (const { messages: received } of [here, there]) {
        expect(received.map(({ length }) => length)).toEqual(sizes);
        expect(received.every((message, index) => message.equals(messages[index] as Buffer))).toBe(true);
      }
    });

    test("keeps the order of thousands of small messages that are sent in bursts and in answers", async () => {
      const { here, there } = await openPipe();
      there.onMessage = (message) => there.pipe.send(message);
      for (let count = 0; count < 5_000; count++) {
        here.pipe.send(Buffer.from(String(count)));
        if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => here.messages.length === 5_000);
      expect(here.messages.map(String)).toEqual(Array.from({ length: 5_000 }, (_, count) => String(count)));
    });

    test("may be sent through while its receiver is still being chosen", async () => {
      const nodeEnds: Recorder[] = [];
      const connect = record([]);
      const gateway = await openGateway((pipe) => {
        pipe.send(Buffer.from("from the gateway"));
        return connect(pipe);
      });
      openNode(gateway, record(nodeEnds));
      await until(() => nodeEnds[0]?.messages.length === 1);
      expect(String(nodeEnds[0]?.messages[0])).toBe("from the gateway");
    });

    test("counts in bufferedBytes what has not left yet, which comes down to 0 without further ado", async () => {
      const { here, there } = await openPipe();
      for (let count = 0; count < 20; count++) here.pipe.send(Buffer.alloc(500_000, count));
      await until(() => there.messages.length === 20);
      await until(() => here.pipe.bufferedBytes === 0);
      expect(there.messages.map((message) => message[499_999])).toEqual(Array.from({ length: 20 }, (_, at) => at));
    });

    for (const closer of ["node", "gateway"] as const) {
      test(`tells both ends once that the ${closer}'s end closed it, however often it is closed`, async () => {
        const { here, there } = await openPipe();
        const end = closer === "node" ? here : there;
        end.pipe.close("enough");
        end.pipe.close("again");
        end.pipe.send(Buffer.from("too late"));
        await until(() => here.closes.length > 0 && there.closes.length > 0);
        here.pipe.close("once more");
        there.pipe.close("once more");
        await new Promise((resolve) => setImmediate(resolve));
        expect([here.closes.length, there.closes.length]).toEqual([1, 1]);
        expect([...here.messages, ...there.messages]).toEqual([]);
        expect(here.pipe.bufferedBytes + there.pipe.bufferedBytes).toBe(0);
      });
    }

    test("is closed by a receiver that throws; other pipes do not notice", async () => {
      const { gateway, here, there } = await openPipe();
      const others: Recorder[] = [];
      openNode(gateway, record(others), "node_2");
      await until(() => others.length > 0);
      there.onMessage = () => {
        throw new Error("It cannot be read");
      };
      here.pipe.send(Buffer.from("anything"));
      await until(() => here.closes.length > 0 && there.closes.length > 0);
      others[0]?.pipe.send(Buffer.from("still here"));
      expect(others[0]?.closes).toEqual([]);
    });

    test("never says of a message that was received that it was not delivered", async () => {
      const { here, there } = await openPipe();
      there.onMessage = () => {
        if (there.messages.length === 100) there.pipe.close("enough");
      };
      for (let count = 0; count < 200; count++) here.pipe.send(Buffer.alloc(1_000));
      await until(() => here.closes.length > 0 && there.closes.length > 0);
      expect(here.closes[0]?.undeliveredFrom ?? 200).toBeGreaterThanOrEqual(there.messages.length);
    });

    test("is made anew after it was closed by either end, and after the gateway's side was opened again", async () => {
      const { gateway, gatewayEnds, nodeEnds } = await openPipe();
      gatewayEnds[0]?.pipe.close("the gateway closes");
      await until(() => gatewayEnds.length === 2 && nodeEnds.length === 2);
      nodeEnds[1]?.pipe.close("the node closes");
      await until(() => gatewayEnds.length === 3 && nodeEnds.length === 3);
      gateway.close();
      await until(() => nodeEnds[2]?.closes.length === 1);
      await openGateway(record(gatewayEnds));
      await until(() => gatewayEnds.length === 4 && nodeEnds.length >= 4);
      nodeEnds.at(-1)?.pipe.send(Buffer.from("hello"));
      await until(() => gatewayEnds[3]?.messages.length === 1);
    });

    test("is not made anew when the node's side was closed", async () => {
      const { node, gatewayEnds, nodeEnds } = await openPipe();
      node.close();
      await until(() => gatewayEnds[0]?.closes.length === 1 && nodeEnds[0]?.closes.length === 1);
      await new Promise((resolve) => setImmediate(resolve));
      expect([gatewayEnds.length, nodeEnds.length]).toEqual([1, 1]);
    });
  });

  interface Sessions {
    gatewayHost: ReturnType<typeof createGatewayHost>;
    nodeHost: ReturnType<typeof createNodeHost>;
    executor: ScriptedExecutor;
    gateway: GatewayEndpoint;
    node: Endpoint;
    /** The gateway's session, once the node is in. */
    session: GatewaySession;
    /** The node's session. */
    link: NodeSession;
  }

  type GatewayOptions = Partial<GatewaySessionHost> & { pushToken?: PushToken };
  const both = { pushToken: "secret" };

  async function openHosts(gatewayOptions: GatewayOptions = both, nodeOptions: Partial<NodeSessionHost> = {}) {
    const executor = new ScriptedExecutor();
    const gatewayHost = createGatewayHost({ clock, ...gatewayOptions });
    const nodeHost = createNodeHost({ clock, executor, token: "secret", ...nodeOptions });
    const gateway = await openGateway(gatewayHost.connected);
    const node = openNode(gateway, nodeHost.connected);
    return { gatewayHost, nodeHost, executor, gateway, node };
  }

  /** A node that is in. */
  async function open(gatewayOptions?: GatewayOptions, nodeOptions?: Partial<NodeSessionHost>): Promise<Sessions> {
    const hosts = await openHosts(gatewayOptions, nodeOptions);
    const { gatewayHost, nodeHost } = hosts;
    await until(
      () => gatewayHost.sessions.some(({ state }) => state === "up") && nodeHost.sessions.some((s) => s.isUp),
    );
    const session = gatewayHost.sessions.find(({ state }) => state === "up") as GatewaySession;
    const link = nodeHost.sessions.find(({ isUp }) => isUp) as NodeSession;
    return { ...hosts, session, link };
  }

  /** A node of the test's own making: greets, then says what it likes. */
  async function openImpostor(gateway: GatewayEndpoint, identity: { node: string }) {
    const ends: Recorder[] = [];
    const { node } = identity;
    openNode(
      gateway,
      (pipe) => {
        const end = record(ends)(pipe);
        const { isLoopback } = pipe;
        const who = { node, services: ["users"], instance: `${node} ${ends.length}` };
        const handshake = new NodeHandshake({ ...who, token: "secret", isLoopback, nonce: randomNonce() });
        end.onMessage = (message) => {
          const step = handshake.received(message);
          if (step.kind === "send") pipe.send(step.message);
          else end.onMessage = () => undefined;
        };
        pipe.send(handshake.hello());
        return end;
      },
      node,
    );
    await until(() => (ends[0]?.messages.length ?? 0) >= 2);
    return ends[0] as Recorder;
  }

  describe(`a session over ${name}`, () => {
    test("lets a node in that has the token; both know who the other is", async () => {
      const { session, link, gatewayHost } = await open();
      expect(session.identity).toEqual({ node: "node_1", services: ["users"], instance: "instance_1" });
      expect(link.gateway).toBe("gateway");
      expect(gatewayHost.table.list()).toMatchObject([
        { node: "node_1", services: ["users"], state: "up", inFlight: 0 },
      ]);
    });

    test("takes any of several tokens", async () => {
      const { session } = await open({ pushToken: ["new secret", "secret"] });
      expect(session.state).toBe("up");
    });

    const refused: [what: string, gateway: GatewayOptions, node: Partial<NodeSessionHost>, code: string][] = [
      ["a wrong token", both, { token: "guess" }, "unauthenticated"],
      ["a token where the gateway has none", {}, { token: "secret" }, "unauthenticated"],
      ["no token", both, { token: null }, "unauthenticated"],
      ["another service's token", { pushToken: { users: "a", orders: "secret" } }, {}, "permission_denied"],
      [
        "a service more than its token allows",
        { pushToken: { users: "secret" } },
        { services: ["users", "orders"] },
        "permission_denied",
      ],
      ["too long a name", both, { node: "n".repeat(256) }, "invalid_request"],
    ];
    for (const [what, gatewayOptions, nodeOptions, code] of refused) {
      test(`refuses a node with ${what}, and tells it why`, async () => {
        const { gatewayHost, nodeHost } = await openHosts(gatewayOptions, nodeOptions);
        await until(() => nodeHost.refusals.length > 0 && gatewayHost.refusals.length > 0);
        expect(nodeHost.refusals[0]?.code).toBe(code);
        expect(gatewayHost.table.list()).toEqual([]);
      });
    }

    test("refuses another process under the name of a node that is there, and lets it in when that has gone", async () => {
      const { gateway, gatewayHost, session } = await open();
      const second = createNodeHost({ clock, token: "secret", instance: "instance_2" });
      openNode(gateway, second.connected);
      await until(() => second.refusals.length > 0);
      expect(second.refusals[0]?.code).toBe("already_started");
      expect(session.state).toBe("up");
      endpoints[1]?.close();
      await until(() => gatewayHost.table.get("node_1", "users")?.identity?.instance === "instance_2");
    });

    test("lets the same process in again at once: its former session is closed", async () => {
      const { gateway, gatewayHost, session, node } = await open();
      const { call, outcome } = createCall();
      session.run(call);
      const again = createNodeHost({ clock, token: "secret" });
      openNode(gateway, again.connected);
      await until(() => again.sessions.some(({ isUp }) => isUp));
      expect(await outcome).toMatchObject({ code: "unavailable" });
      await session.ended;
      node.close();
      expect(gatewayHost.table.gone(0)).toEqual([]);
      expect(gatewayHost.table.list()).toMatchObject([{ node: "node_1", state: "up" }]);
    });

    test("runs calls at the node with everything that belongs to them, and brings back results and failures", async () => {
      const { session, executor } = await open();
      const trace = { traceparent: "00-1-2-03", tracestate: "a=1" };
      const identity = {
        requestId: "r1",
        requestType: "get_user",
        service: "users",
        version: "1.0.0",
        userId: "ann",
        userIdVerified: true,
        deviceId: null,
        userRoles: ["admin"],
        topic: "api:1",
        ipAddress: "10.0.0.1",
        claims: { tenant: "t1", quota: { seats: 5 } },
        deadline: null,
        trace,
      };
      const args = ["ann", 1.5, null, true, [{ born: new Date(1e12) }], "ü€😀"];
      const succeeded = createCall({ args, identity });
      const failed = createCall();
      session.run(succeeded.call);
      session.run(failed.call);
      await until(() => executor.calls.length === 2);
      const { service, requestType, version, module, function: called } = executor.calls[0] as never;
      expect([service, requestType, version, module, called]).toEqual([
        "users",
        "get_user",
        "1.0.0",
        "users",
        "getUser",
      ]);
      expect(executor.calls[0]).toMatchObject({ args, identity, isCast: false, maxResultBytes: 8 * 1024 * 1024 });
      expect(session.inFlight).toBe(2);
      executor.calls[0]?.succeeded('{"name":"Ann"}');
      executor.calls[1]?.failed(libraryError("failed", "Nothing left"), true);
      expect(await succeeded.outcome).toEqual({ json: '{"name":"Ann"}' });
      expect(await failed.outcome).toMatchObject({ code: "failed", begun: true });
      expect(session.inFlight).toBe(0);
    });

    test("tells a node which trace a call belongs to, though its function asked for no RequestInfo", async () => {
      const { session, executor } = await open();
      const trace = { traceparent: "00-1-2-03", tracestate: "a=1" };
      session.run(createCall({ trace }).call);
      session.stream(createStream({ trace }).stream);
      session.run(createCall().call);
      await until(() => executor.calls.length === 2);
      expect(executor.calls[0]).toMatchObject({ identity: null, trace });
      expect(executor.streams[0]).toMatchObject({ identity: null, trace });
      expect(executor.calls[1]).toMatchObject({ identity: null, trace: null });
    });

    test("answers hundreds of calls each once, with its own result", async () => {
      const { session, executor } = await open();
      executor.onCall = (call) => setImmediate(() => call.succeeded(JSON.stringify(call.args[0])));
      const calls = Array.from({ length: 2_000 }, (_, number) => createCall({ args: [number] }));
      for (const { call } of calls) session.run(call);
      const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
      expect(outcomes).toEqual(calls.map((_, number) => ({ json: String(number) })));
      expect(calls.every(({ outcomes: all }) => all.length === 1)).toBe(true);
    });

    test("brings a result of 8 MB and arguments of 1 MB", async () => {
      const { session, executor } = await open();
      executor.onCall = (call) => call.succeeded(JSON.stringify("x".repeat(8_000_000)));
      const { call, outcome } = createCall({ args: ["y".repeat(1_000_000)] });
      session.run(call);
      expect(await outcome).toEqual({ json: JSON.stringify("x".repeat(8_000_000)) });
      expect(executor.calls[0]?.args).toEqual(["y".repeat(1_000_000)]);
    });

    test("fails what cannot be sent before it was begun, and nothing else with it", async () => {
      const { session, executor } = await open();
      executor.onCall = (call) => call.succeeded("1");
      const ring: unknown[] = [];
      ring.push(ring);
      for (const args of [ring, [1n], [2n ** 70n], [Buffer.from("x")], [Symbol("x")]]) {
        const { call, outcome } = createCall({ args });
        session.run(call);
        expect(await outcome).toMatchObject({ code: "internal", begun: false });
      }
      const { call, outcome } = createCall();
      session.run(call);
      expect(await outcome).toEqual({ json: "1" });
      expect(session.inFlight).toBe(0);
    });

    test("tells whether a call that the node refused was begun", async () => {
      const { session, executor } = await open();
      executor.onCall = (call) => call.failed(libraryError("unavailable", "The queue is full"), false);
      const { call, outcome } = createCall();
      session.run(call);
      expect(await outcome).toMatchObject({ code: "unavailable", begun: false });
    });

    test("refuses calls beyond maxInFlight without sending them", async () => {
      const { session, executor } = await open({ ...both, maxInFlight: 2 });
      const calls = [createCall(), createCall(), createCall()] as const;
      for (const { call } of calls) session.run(call);
      expect(await calls[2].outcome).toMatchObject({ code: "unavailable", begun: false });
      await until(() => executor.calls.length === 2);
    });

    test("cancels a call at the node, which then says nothing of it", async () => {
      const { session, executor } = await open();
      const first = createCall();
      const task = session.run(first.call);
      await until(() => executor.calls.length === 1);
      task.cancel("timeout");
      task.cancel("timeout");
      await until(() => executor.cancelled.length === 1);
      expect(executor.cancelled).toEqual([{ requestType: "get_user", reason: "timeout" }]);
      executor.calls[0]?.succeeded("1");
      const second = createCall();
      session.run(second.call);
      await until(() => executor.calls.length === 2);
      executor.calls[1]?.succeeded("2");
      expect(await second.outcome).toEqual({ json: "2" });
      expect([first.outcomes, session.inFlight]).toEqual([[], 0]);
    });

    test("carries a stream as fast as its consumer grants: one that grants nothing stops the producer", async () => {
      const { session, link, executor } = await open();
      const credit = new ProducerCredit();
      let sent = 0;
      const produce = () => {
        for (; credit.available && sent < 100; sent++) {
          credit.spend(1);
          executor.streams[0]?.chunk(String(sent));
        }
        if (sent === 100) executor.streams[0]?.ended('"last"');
      };
      executor.onStream = produce;
      executor.onGrant = (chunks) => {
        credit.refund(chunks);
        produce();
      };
      const { stream, chunks, outcome } = createStream();
      const running = session.stream(stream);
      await until(() => chunks.length === streamWindow);
      // A whole round trip more.
      await link.ask("anything", null);
      expect([sent, chunks.length]).toEqual([streamWindow, streamWindow]);
      for (let granted = 0; granted < 100; granted++) {
        await until(() => chunks.length > granted);
        running.grant(1);
      }
      expect(await outcome).toEqual({ last: '"last"' });
      expect(chunks).toEqual(Array.from({ length: 100 }, (_, at) => String(at)));
      expect(session.inFlight).toBe(0);
    });

    test("lets a stream run as far ahead as the gateway has said that it may", async () => {
      const { session, executor } = await open({ ...both, streamWindow: 100 });
      const credit = new ProducerCredit();
      executor.onGrant = (chunks) => credit.refund(chunks);
      const { stream, chunks } = createStream();
      const running = session.stream(stream);
      await until(() => executor.streams.length === 1);
      let sent = 0;
      const produce = () => {
        while (credit.available && sent < 1_000) {
          credit.spend(1);
          executor.streams[0]?.chunk(String(sent++));
        }
      };
      produce();
      expect(sent).toBe(100);
      await until(() => chunks.length === 100);
      running.grant(100);
      await until(() => {
        produce();
        return chunks.length === 200;
      });
      expect([sent, chunks.length]).toEqual([200, 200]);
      running.cancel("cancelled");
    });

    test("tells the node a stream's window, and what the client has acknowledged", async () => {
      const { session, executor } = await open();
      session.stream(createStream().stream);
      const { stream, chunks } = createStream({ window: 2 });
      const running = session.stream(stream);
      await until(() => executor.streams.length === 2);
      expect(executor.streams.map(({ window }) => window)).toEqual([null, 2]);
      executor.streams[1]?.chunk("1");
      executor.streams[1]?.chunk("2");
      await until(() => chunks.length === 2);
      running.acknowledge(2);
      await until(() => executor.acknowledged.length === 1);
      expect(executor.acknowledged).toEqual([2]);
    });

    test("cancels a stream at the node", async () => {
      const { session, executor } = await open();
      const { stream, chunks } = createStream();
      executor.onStream = (produced) => produced.chunk("1");
      const running = session.stream(stream);
      await until(() => chunks.length === 1);
      running.cancel("cancelled");
      await until(() => executor.cancelled.length === 1);
      executor.streams[0]?.chunk("2");
      executor.streams[0]?.ended(null);
      expect([chunks, session.inFlight]).toEqual([["1"], 0]);
    });

    test("fails a stream in its midst", async () => {
      const { session, executor } = await open();
      executor.onStream = (produced) => {
        produced.chunk("1");
        produced.failed(libraryError("internal", "It broke"), true);
      };
      const { stream, chunks, outcome } = createStream();
      session.stream(stream);
      expect(await outcome).toMatchObject({ code: "internal", begun: true });
      expect(chunks).toEqual(["1"]);
    });

    test("closes a node's session that sends more of a stream than it has credit for", async () => {
      const { session, executor } = await open();
      executor.onStream = (produced) => {
        for (let count = 0; count < streamWindow * 4; count++) produced.chunk(String(count));
      };
      const { stream, chunks, outcome } = createStream();
      session.stream(stream);
      expect(await outcome).toMatchObject({ code: "unavailable" });
      expect(chunks.length).toBeLessThanOrEqual(streamWindow * 2);
    });

    test("answers what a node asks, and refuses with the gateway's error", async () => {
      const { link, gatewayHost } = await open({
        ...both,
        async asked({ identity }, asked, body) {
          if (asked === "push_begin") return { asked, body, node: identity?.node };
          throw libraryError("invalid_config", "It has no service");
        },
      });
      expect(gatewayHost.refusals).toEqual([]);
      expect(await link.ask("push_begin", { count: 1 })).toEqual({
        asked: "push_begin",
        body: { count: 1 },
        node: "node_1",
      });
      await expect(link.ask("verify", null)).rejects.toMatchObject({
        code: "invalid_config",
        message: "It has no service",
      });
    });

    test("does not tell a node what went wrong inside the gateway", async () => {
      const { link } = await open({
        ...both,
        asked() {
          throw new Error("A secret of the gateway");
        },
      });
      await expect(link.ask("verify", null)).rejects.toMatchObject({
        code: "internal",
        message: "Internal Server Error",
      });
    });

    test("fails what was asked when the link is lost, and what is asked after", async () => {
      const { link, gateway } = await open({ ...both, asked: () => new Promise(() => undefined) });
      const asked = link.ask("verify", null);
      gateway.close();
      await expect(asked).rejects.toMatchObject({ code: "unavailable" });
      await expect(link.ask("verify", null)).rejects.toMatchObject({ code: "unavailable" });
    });

    test("fails its calls when the node is lost, those that certainly did not go as not begun", async () => {
      const { session, executor, node } = await open();
      const sent = createCall();
      session.run(sent.call);
      await until(() => executor.calls.length === 1);
      const unsent = createCall();
      session.run(unsent.call);
      session.close("a test");
      expect(await sent.outcome).toMatchObject({ code: "unavailable", begun: true });
      expect(await unsent.outcome).toMatchObject({ code: "unavailable", begun: false });
      const late = createCall();
      session.run(late.call);
      expect(await late.outcome).toMatchObject({ code: "unavailable", begun: false });
      expect([sent.outcomes.length, unsent.outcomes.length]).toEqual([1, 1]);
      node.close();
    });

    test("cancels at the node what ran for a gateway that is lost, casts apart", async () => {
      const { session, link, executor, gateway, nodeHost } = await open();
      session.run(createCall({ requestType: "get_user" }).call);
      session.run(createCall({ requestType: "log_user", isCast: true }).call);
      session.stream(createStream({ requestType: "watch_user" }).stream);
      await until(() => executor.calls.length === 2 && executor.streams.length === 1);
      gateway.close();
      await link.ended;
      expect(executor.cancelled.map(({ requestType, reason }) => `${requestType} ${reason}`).sort()).toEqual([
        "get_user disconnected",
        "watch_user disconnected",
      ]);
      expect(nodeHost.downs.length).toBe(1);
      // Its result has nowhere to go.
      executor.calls[1]?.succeeded("1");
    });

    test("carries the calls that a function at the node makes, and the Responses to them", async () => {
      const { session, executor } = await open();
      const carried: { request: NestedRequest; listener: NestedListener }[] = [];
      const told: string[] = [];
      const outer = createCall({
        isNested: true,
        carry(request, listener) {
          carried.push({ request, listener });
          return { cancel: () => void told.push("cancel"), grant: (chunks) => void told.push(`grant ${chunks}`) };
        },
      });
      session.run(outer.call);
      await until(() => executor.calls.length === 1);
      const served = executor.calls[0] as RemoteCall;
      expect(served.isNested).toBe(true);
      const request = {
        service: "users",
        requestType: "list",
        args: '{"name":"ü\\ud800"}',
        version: null,
        timeoutMs: 1_500.5,
        isStream: true,
      };
      const heard: unknown[] = [];
      const onResponse = (response: string, isLast: boolean) => void heard.push([response, isLast]);
      const running = served.carry?.(request, { onResponse });
      const other = served.carry?.({ ...request, version: "1.0.0", timeoutMs: null, isStream: false }, { onResponse });
      await until(() => carried.length === 2);
      expect(carried.map((one) => one.request)).toEqual([
        request,
        { ...request, version: "1.0.0", timeoutMs: null, isStream: false },
      ]);
      carried[0]?.listener.onResponse('{"result":1}', false);
      carried[1]?.listener.onResponse('{"result":2}', true);
      carried[0]?.listener.onResponse('{"result":null}', true);
      await until(() => heard.length === 3);
      expect(heard).toEqual([
        ['{"result":1}', false],
        ['{"result":2}', true],
        ['{"result":null}', true],
      ]);
      // Those two have ended: what the function says of them is ignored.
      running?.cancel();
      other?.grant(1);
      const third = served.carry?.(request, { onResponse });
      third?.grant(3);
      third?.cancel();
      await until(() => told.length === 2);
      expect(told).toEqual(["grant 3", "cancel"]);
      served.succeeded("1");
      expect(await outer.outcome).toEqual({ json: "1" });
      // The function's own call is over.
      carried[2]?.listener.onResponse('{"result":null}', true);
      expect(session.state).toBe("up");
    });

    test("answers the calls that a cast at the node makes, when the gateway is lost, as unavailable", async () => {
      const { session, executor, gateway, link } = await open();
      const carry = () => ({ cancel: () => undefined, grant: () => undefined });
      session.run(createCall({ isCast: true, carry }).call);
      await until(() => executor.calls.length === 1);
      const heard: { error_code: string; can_retry: boolean }[] = [];
      const request = { service: "s", requestType: "f", args: "{}", version: null, timeoutMs: null, isStream: false };
      const onResponse = (response: string) => void heard.push(JSON.parse(response));
      executor.calls[0]?.carry?.(request, { onResponse });
      gateway.close();
      await link.ended;
      executor.calls[0]?.carry?.(request, { onResponse });
      expect(heard).toMatchObject(Array(2).fill({ success: false, error_code: "unavailable", can_retry: true }));
    });

    test("takes a node's leave: no call comes any more, those that run are answered, then it ends", async () => {
      const { session, link, executor, gatewayHost } = await open();
      const running = createCall();
      session.run(running.call);
      await until(() => executor.calls.length === 1);
      const left = link.leave();
      await until(() => session.state === "leaving");
      expect([gatewayHost.table.isLive("node_1", "users"), gatewayHost.table.list()[0]?.state]).toEqual([
        false,
        "leaving",
      ]);
      const late = createCall();
      session.run(late.call);
      expect(await late.outcome).toMatchObject({ code: "unavailable", begun: false });
      executor.calls[0]?.succeeded("1");
      expect(await running.outcome).toEqual({ json: "1" });
      await left;
      expect(executor.calls.length).toBe(1);
      expect(gatewayHost.downs).toEqual([{ node: "node_1", reason: expect.any(String) }]);
    });

    test("finds a node that has gone silent, by heartbeats; one that only has nothing to say stays", async () => {
      const time = new SimulatedClock();
      const { session, gateway, gatewayHost } = await open({ ...both, clock: time }, { clock: time });
      const silent = await openImpostor(gateway, { node: "silent" });
      const impostor = gatewayHost.sessions.find(({ identity }) => identity?.node === "silent") as GatewaySession;
      const { call, outcome } = createCall();
      impostor.run(call);
      for (let second = 0; second < 10; second++) {
        const before = [...received];
        time.advance(1_000);
        // The heartbeats of this second, at the two ends of the first pipe; in the first there was the greeting.
        if (second > 0) await until(() => [0, 1].every((at) => (received[at] as number) > (before[at] as number)));
      }
      expect(await outcome).toMatchObject({ code: "unavailable", begun: true });
      await until(() => silent.closes.length === 1);
      expect([session.state, impostor.state]).toEqual(["up", "down"]);
      expect(gatewayHost.downs[0]?.reason).toContain("3000 ms");
    });

    test("turns away who does not greet within 10 seconds", async () => {
      const time = new SimulatedClock();
      const gatewayHost = createGatewayHost({ clock: time, ...both });
      const gateway = await openGateway(gatewayHost.connected);
      const mute: Recorder[] = [];
      openNode(gateway, record(mute));
      await until(() => gatewayHost.sessions.length === 1);
      time.advance(9_999);
      expect(gatewayHost.sessions[0]?.state).toBe("greeting");
      time.advance(1);
      await until(() => mute[0]?.closes.length === 1);
      expect(gatewayHost.refusals[0]?.node).toBe(null);
    });

    const garbage: [what: string, bytes: Uint8Array][] = [
      ["random bytes", Buffer.from([0x93, 0x01, 0xc1, 0xff, 0x00])],
      ["a list that promises more than there is", Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
      ["a value that is no entry", Buffer.from([0x01])],
      ["an ask of nothing", Buffer.from([0x93, 0x04, 0xc0, 0xc0])],
      ["values nested without end", Buffer.alloc(1_000_000, 0x91)],
      ["more than 32 MiB", Buffer.alloc(32 * 1024 * 1024 + 1)],
    ];
    for (const [what, bytes] of garbage) {
      test(`closes a session whose node sends ${what}; the other nodes' go on`, async () => {
        const { session, gateway, gatewayHost, executor } = await open();
        const end = await openImpostor(gateway, { node: "garbler" });
        await until(() => gatewayHost.table.isLive("garbler", "users"));
        end.pipe.send(bytes);
        await until(() => end.closes.length === 1);
        await until(() => !gatewayHost.table.isLive("garbler", "users"));
        executor.onCall = (call) => call.succeeded("1");
        const { call, outcome } = createCall();
        session.run(call);
        expect(await outcome).toEqual({ json: "1" });
      });
    }

    test("closes a pipe whose first message is no greeting, or is too big for one", async () => {
      const gatewayHost = createGatewayHost({ clock, ...both });
      const gateway = await openGateway(gatewayHost.connected);
      const ends: Recorder[] = [];
      openNode(gateway, record(ends));
      await until(() => ends.length > 0);
      ends[0]?.pipe.send(Buffer.alloc(20_000, 0x7b));
      await until(() => ends[0]?.messages.length === 1 || ends[0]?.closes.length === 1);
      ends[0]?.pipe.close("refused");
      await until(() => gatewayHost.refusals.length > 0);
      expect(gatewayHost.refusals[0]?.node).toBe(null);
    });
  });
}
