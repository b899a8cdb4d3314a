import { fork } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { WaitingSockets } from "../../src/core/net/waiting-sockets.ts";
import { listenTo, openGateway } from "../socket/open-gateway.ts";
import { open, statusLine, upgradeRequest } from "../support/network/raw-http.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const portOf = ({ url }: { readonly url: string }) => Number(new URL(url).port);
const openMany = (count: number, port: number) => Promise.all(Array.from({ length: count }, () => open(port)));
const alive = (sockets: readonly Socket[]) => sockets.filter((socket) => !socket.destroyed);

describe("sockets that send nothing", () => {
  test("are bounded: the oldest go, the operator is told, and clients come in all the while", async () => {
    using drops = listenTo("connection.drop");
    await using gateway = await openGateway({ maxWaitingConnections: 20 });
    const silent = await openMany(100, portOf(gateway));
    for (const socket of silent) socket.resume();
    await expect.poll(() => alive(silent).length).toBe(20);
    expect(alive(silent)).toEqual(silent.slice(80));
    for (let n = 0; n < 40; n++) await gateway.connect();
    expect(gateway.table.size).toBe(40);
    const dropped = drops.messages.reduce((sum, { measurements }) => sum + measurements.count, 0);
    expect(dropped).toBeGreaterThanOrEqual(80);
    expect(drops.messages[0]?.metadata).toEqual({ gateway: "test", listener: "clients", network: "127.0.0.1" });
    for (const socket of silent) socket.destroy();
  });

  test("are not those that have sent their request already, however many come in one burst", async () => {
    await using gateway = await openGateway({ maxWaitingConnections: 5 });
    const upgrade = upgradeRequest("/socket/websocket?vsn=2.0.0");
    const lines = await Promise.all(Array.from({ length: 200 }, () => statusLine(portOf(gateway), upgrade)));
    expect(lines.filter((line) => !line.includes(" 101 "))).toEqual([]);
  });

  test("do not keep clients out of a process that has few file descriptors", async () => {
    const file = new URL("../fixtures/edge-gateway.js", import.meta.url).pathname;
    // Node raises the soft limit to the hard one.
    const gateway = fork(file, {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      execPath: "/bin/sh",
      execArgv: ["-c", `ulimit -n 1024 && exec '${process.execPath}' "$0"`],
    });
    const [ports] = (await once(gateway, "message")) as [{ own: number }];
    const silent = await openMany(1_100, ports.own);
    for (const socket of silent) socket.resume();
    await expect.poll(() => alive(silent).length).toBeLessThanOrEqual(512);
    for (let n = 0; n < 20; n++) {
      expect(await statusLine(ports.own, upgradeRequest("/socket/websocket?vsn=2.0.0"))).toMatch(/ 101 /);
    }
    for (const socket of silent) socket.destroy();
    gateway.kill();
    await once(gateway, "exit");
  });
});

describe("of too many sockets that wait", () => {
  /** Stands for a socket of that address. */
  const from = (remoteAddress: string) => {
    const listeners: (() => void)[] = [];
    return {
      remoteAddress,
      destroyed: false,
      once: (_name: string, listener: () => void) => void listeners.push(listener),
      off: () => undefined,
      destroy() {
        this.destroyed = true;
      },
    };
  };
  const add = (waiting: WaitingSockets, address: string) => {
    const socket = from(address);
    waiting.add(socket as unknown as Socket);
    return socket;
  };
  const twoTurns = () => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

  test("the network that holds most loses its oldest; an IPv6 network is one, whatever the addresses", () => {
    const clock = new SimulatedClock();
    const told: unknown[] = [];
    const waiting = new WaitingSockets(4, (...drop) => told.push(drop), clock);
    const calm = add(waiting, "10.0.0.1");
    const flood = Array.from({ length: 10 }, (_, n) => add(waiting, `2001:db8::${n + 1}`));
    const late = add(waiting, "10.0.0.2");
    clock.advance(1_000);
    expect([calm.destroyed, late.destroyed]).toEqual([false, false]);
    expect(flood.map((socket) => socket.destroyed)).toEqual([...Array(8).fill(true), false, false]);
    expect(told).toEqual([[8, "2001:db8:0:0::/64"]]);
    expect(waiting.size).toBe(4);
  });

  test("each has a second to speak, however many come back at once after a restart", () => {
    const clock = new SimulatedClock();
    const waiting = new WaitingSockets(4, () => undefined, clock);
    const first = Array.from({ length: 10 }, () => add(waiting, "10.0.0.1"));
    clock.advance(500);
    const second = Array.from({ length: 10 }, () => add(waiting, "10.0.0.1"));
    clock.advance(499);
    expect(first.some((socket) => socket.destroyed)).toBe(false);
    clock.advance(1);
    expect(first.every((socket) => socket.destroyed)).toBe(true);
    expect(second.some((socket) => socket.destroyed)).toBe(false);
    for (const socket of second.slice(0, 8)) waiting.delete(socket as unknown as Socket);
    clock.advance(2_000);
    expect(second.some((socket) => socket.destroyed)).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test("more than eight times what is allowed are closed at once", async () => {
    const waiting = new WaitingSockets(2, () => undefined, new SimulatedClock());
    const sockets = Array.from({ length: 30 }, () => add(waiting, "10.0.0.1"));
    await twoTurns();
    expect(waiting.size).toBe(16);
    expect(sockets.slice(14).some((socket) => socket.destroyed)).toBe(false);
    waiting.close();
  });

  test("those that have shown what they are here for are not counted", async () => {
    const clock = new SimulatedClock();
    const waiting = new WaitingSockets(2, () => expect.unreachable(), clock);
    const sockets = Array.from({ length: 6 }, () => add(waiting, "10.0.0.1"));
    for (const socket of sockets.slice(0, 4)) waiting.delete(socket as unknown as Socket);
    clock.advance(2_000);
    await twoTurns();
    expect(sockets.some((socket) => socket.destroyed)).toBe(false);
    expect(waiting.size).toBe(2);
  });
});
