import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { kill } from "../../src/actor/lifecycle/exit.ts";
import { fromDynamicSupervisor } from "../../src/actor/supervisor/dynamic-supervisor.ts";
import type { SupervisorRef } from "../../src/actor/supervisor/supervisor-requests.ts";
import { countChildren, whichChildren } from "../../src/actor/supervisor/supervisor-requests.ts";
import { startSystem } from "../../src/actor/system.ts";
import { GatewaySession } from "../../src/node/gateway-session.ts";
import { nodeMonitorActor } from "../../src/node/node-monitor.actor.ts";
import type { Endpoint } from "../../src/node/node-transport.ts";
import { startSession } from "../../src/node/session.actor.ts";
import type { Pipe } from "../../src/node/wire/pipe.ts";
import { recordEvents } from "../support/record-events.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { until } from "../support/until.ts";
import { local } from "./local/local.ts";
import { createCall, createGatewayHost, createNodeHost, ScriptedExecutor } from "./sessions.ts";

/** A gateway with its tree, and nodes that come and go. */
function start() {
  const clock = new SimulatedClock();
  const transport = local();
  const gateway = createGatewayHost({ clock });
  const { table } = gateway;
  const system = startSystem({
    name: "test",
    clock,
    children: [
      { id: "monitor", logic: nodeMonitorActor, input: { table, nodeGraceMs: 5_000 }, name: "monitor" },
      { id: "sessions", logic: fromDynamicSupervisor(), name: "sessions" },
    ],
  });
  const supervisor = () => system.whereis<SupervisorRef>("sessions") as SupervisorRef;
  const endpoints: Endpoint[] = [];
  let count = 0;
  const scope = { clock, random: () => 0.5, hasToken: false, fail: () => undefined };
  const connected = (pipe: Pipe) => {
    const session = new GatewaySession(pipe, gateway.host);
    startSession(supervisor(), `node_session_${++count}`, session);
    return session.receiver;
  };
  endpoints.push(transport.openGateway({ ...scope, name: "gateway", connected }));

  /** Starts a node. @returns how to end it, and what it runs */
  async function startNode(node: string, services = ["users"]) {
    const executor = new ScriptedExecutor();
    const host = createNodeHost({ clock, executor, node, services, instance: node });
    const endpoint = transport.openNode({ ...scope, name: node, connected: host.connected });
    endpoints.push(endpoint);
    clock.advance(0);
    await until(() => table.isUp(node));
    return { executor, host, close: () => endpoint.close() };
  }

  async function stop() {
    for (const endpoint of endpoints) endpoint.close();
    await until(() => countChildren(supervisor()).active === 0);
    await system.shutdown();
    // Both ends of every pipe have ended, and no timer is left.
    await until(() => clock.pending === 0);
  }
  return { clock, table, gateway, system, supervisor, startNode, stop };
}

describe("the nodes of a gateway", () => {
  let started: ReturnType<typeof start>;

  beforeEach(() => {
    started = start();
  });
  afterEach(() => started.stop());

  test("are live from their welcome to the loss of their pipe, each change a new epoch", async () => {
    const { table, startNode } = started;
    const epochs = [table.epoch];
    const node = await startNode("a");
    epochs.push(table.epoch);
    expect(table.get("a", "users")?.identity?.node).toBe("a");
    node.close();
    await until(() => !table.isLive("a", "users"));
    await until(() => table.list()[0]?.state === "down");
    epochs.push(table.epoch);
    expect(new Set(epochs).size).toBe(3);
    expect([table.get("a", "users"), table.get("b", "users"), table.isLive("b", "users")]).toEqual([null, null, false]);
  });

  test("are filtered by a list of names, in its order; the same list again gives the same answer until something changes", async () => {
    const { table, startNode } = started;
    const names = ["b", "x", "a"];
    await startNode("a");
    const b = await startNode("b");
    const live = table.live(names, "users");
    expect(live).toEqual(["b", "a"]);
    expect(table.live(names, "users")).toBe(live);
    b.close();
    await until(() => table.list().some(({ state }) => state === "down"));
    expect(table.live(names, "users")).toEqual(["a"]);
  });

  test("are live for the services that they came for, whatever their names; a list may be asked for several", async () => {
    const { table, startNode } = started;
    const names = ["a", "b"];
    await startNode("a", ["orders"]);
    await startNode("b", ["orders", "users"]);
    for (let round = 0; round < 2; round++) {
      expect([table.live(names, "users"), table.live(names, "orders")]).toEqual([["b"], ["a", "b"]]);
    }
    expect([table.isUp("a"), table.isLive("a", "users"), table.get("a", "users")]).toEqual([true, false, null]);
    expect(table.get("a", "orders")?.identity?.node).toBe("a");
  });

  test("that come back with fewer services are live for those alone", async () => {
    const { table, startNode } = started;
    const names = ["a"];
    const a = await startNode("a", ["orders", "users"]);
    expect(table.live(names, "users")).toEqual(["a"]);
    a.close();
    await until(() => !table.isUp("a"));
    await startNode("a", ["orders"]);
    expect([table.live(names, "users"), table.live(names, "orders")]).toEqual([[], ["a"]]);
  });

  test("are not live while they take their leave", async () => {
    const { table, startNode } = started;
    const { host, executor } = await startNode("a");
    const names = ["a"];
    expect(table.live(names, "users")).toEqual(["a"]);
    const { call, outcome } = createCall();
    table.get("a", "users")?.run(call);
    await until(() => executor.calls.length === 1);
    const left = host.sessions[0]?.leave();
    await until(() => table.list()[0]?.state === "leaving");
    expect([table.live(names, "users"), table.isLive("a", "users"), table.list()[0]?.inFlight]).toEqual([[], false, 1]);
    executor.calls[0]?.succeeded("1");
    expect(await outcome).toEqual({ json: "1" });
    await left;
  });

  test("are forgotten when they were gone for nodeGraceMs, and not when they came back", async () => {
    const { table, startNode, clock } = started;
    const a = await startNode("a");
    const b = await startNode("b");
    a.close();
    b.close();
    await until(() => table.list().every(({ state }) => state === "down"));
    clock.advance(4_000);
    await startNode("b");
    clock.advance(3_000);
    expect(table.list().map(({ node, state }) => [node, state])).toEqual([["b", "up"]]);
  });

  test("live on when their monitor is killed, which goes on to forget", async () => {
    const { table, startNode, clock, system } = started;
    const a = await startNode("a");
    await startNode("b");
    const monitor = system.whereis("monitor");
    if (monitor !== undefined) kill(monitor);
    await until(() => system.whereis("monitor") !== monitor);
    expect([table.isLive("a", "users"), table.isLive("b", "users")]).toEqual([true, true]);
    expect(system.table("nodes")).toBe(table);
    a.close();
    await until(() => !table.isLive("a", "users"));
    await until(() => table.list().some(({ state }) => state === "down"));
    clock.advance(7_000);
    expect(table.list().map(({ node }) => node)).toEqual(["b"]);
  });

  test("are each an actor: killing it closes its pipe, fails its calls once, and the node comes back", async () => {
    const { table, startNode, clock, supervisor, gateway } = started;
    const a = await startNode("a");
    await startNode("b");
    const { call, outcome, outcomes } = createCall();
    table.get("a", "users")?.run(call);
    await until(() => a.executor.calls.length === 1);
    const actor = whichChildren(supervisor()).find(({ id }) => id === "node_session_1")?.ref;
    if (actor !== undefined) kill(actor);
    expect(await outcome).toMatchObject({ code: "unavailable", begun: true });
    await until(() => a.host.downs.length === 1);
    expect(a.executor.cancelled).toEqual([{ requestType: "get_user", reason: "disconnected" }]);
    expect(table.isLive("b", "users")).toBe(true);
    clock.advance(1_000);
    await until(() => table.isLive("a", "users"));
    expect([outcomes.length, gateway.sessions.length]).toEqual([1, 0]);
  });

  test("are told of by telemetry: up, down with the reason and the calls lost, refused", async () => {
    using events = recordEvents("node.up", "node.down", "node.refuse");
    const { table, startNode } = started;
    const a = await startNode("a");
    const { call, outcome } = createCall();
    table.get("a", "users")?.run(call);
    await until(() => a.executor.calls.length === 1);
    table.get("a", "users")?.close("a test");
    await outcome;
    table.refused("somewhere", null, "no hello");
    expect(
      events.messages.map(({ event, metadata, measurements }) => ({ event, ...metadata, ...measurements })),
    ).toMatchObject([
      { event: "node.up", gateway: "gateway", node: "a", services: ["users"] },
      { event: "node.down", gateway: "gateway", node: "a", reason: "a test", orderly: false, calls_lost: 1 },
      { event: "node.refuse", gateway: "gateway", node: null, reason: "no hello" },
    ]);
  });
});
