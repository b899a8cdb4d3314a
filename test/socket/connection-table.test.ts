import { Socket } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../src/socket/connection.ts";
import { ConnectionTable } from "../../src/socket/connection-table.ts";
import { socketDefaults } from "../../src/socket/handshake/socket-options.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** A connection as the table sees it, and how it was closed. */
class FakeConnection {
  bytesReceived = 0;
  partSince: number | null = null;
  readonly closes: string[] = [];
  readonly socket: { readonly assigns: { readonly id?: string; readonly expiresAt?: number | Date | null } };

  constructor(assigns: FakeConnection["socket"]["assigns"] = {}) {
    this.socket = { assigns };
  }

  close(code: number, reason: string): void {
    this.closes.push(`${code} ${reason}`);
  }
}

let clock: SimulatedClock;
beforeEach(() => {
  clock = new SimulatedClock();
});

function tableOf(options: Partial<typeof socketDefaults> = {}) {
  const table = new ConnectionTable(clock, { ...socketDefaults, ...options });
  const add = (connection: FakeConnection) => {
    table.add(connection as unknown as Connection);
    return connection;
  };
  const sweep = (afterMs: number) => {
    clock.advance(afterMs);
    table.sweep(1_000);
  };
  return { table, add, sweep };
}

describe("sockets are admitted", () => {
  test("up to maxConnections in all, each counted until it is released, once", () => {
    const { table } = tableOf({ maxConnections: 2 });
    const sockets = [new Socket(), new Socket(), new Socket()] as const;
    expect(sockets.map((socket, index) => table.admit(socket, `10.0.0.${index}`))).toEqual([undefined, undefined, 503]);
    table.release(sockets[2]);
    expect(table.admit(sockets[2], "10.0.0.2")).toBe(503);
    table.release(sockets[0]);
    table.release(sockets[0]);
    expect(table.admit(sockets[2], "10.0.0.2")).toBeUndefined();
    expect(table.admit(sockets[0], "10.0.0.0")).toBe(503);
  });

  test("up to maxConnectionsPerAddress of each network, others whatever that has", () => {
    const { table } = tableOf({ maxConnectionsPerAddress: 2 });
    const sockets = Array.from({ length: 4 }, () => new Socket()) as [Socket, Socket, Socket, Socket];
    expect(sockets.map((socket) => table.admit(socket, "10.0.0.1"))).toEqual([undefined, undefined, 429, 429]);
    expect(table.admit(sockets[3], "10.0.0.2")).toBeUndefined();
    table.release(sockets[0]);
    // Released again it would free the place of another.
    table.release(sockets[0]);
    expect(table.admit(sockets[2], "10.0.0.1")).toBeUndefined();
    expect(table.admit(sockets[0], "10.0.0.1")).toBe(429);
    for (const socket of sockets) table.release(socket);
    expect(sockets.map((socket) => table.admit(socket, "10.0.0.1"))).toEqual([undefined, undefined, 429, 429]);
  });
});

describe("a sweep closes", () => {
  test("who has sent nothing for idleTimeoutMs, and no millisecond earlier", () => {
    const { add, sweep } = tableOf({ idleTimeoutMs: 2_000 });
    const silent = add(new FakeConnection());
    const speaking = add(new FakeConnection());
    sweep(1_000);
    speaking.bytesReceived = 1;
    sweep(999);
    expect(silent.closes).toEqual([]);
    sweep(1);
    expect(silent.closes).toEqual(["1002 nothing was received for too long"]);
    sweep(1_000);
    sweep(998);
    expect(speaking.closes).toEqual([]);
    sweep(1);
    expect(speaking.closes).toHaveLength(1);
  });

  test("nobody for silence when it is late itself by more than half of its interval", () => {
    const { add, sweep } = tableOf({ idleTimeoutMs: 1_000 });
    const connection = add(new FakeConnection());
    sweep(1_501);
    expect(connection.closes).toEqual([]);
    sweep(1);
    expect(connection.closes).toHaveLength(1);
    const another = tableOf({ idleTimeoutMs: 1_000 });
    const other = another.add(new FakeConnection());
    another.sweep(1_500);
    expect(other.closes).toHaveLength(1);
  });

  test("whose time has come, late or not", () => {
    const { add, sweep } = tableOf();
    const at = clock.systemTime() + 5_000;
    const [number, date, never, ever] = [at, new Date(at), null, undefined].map((expiresAt) =>
      add(new FakeConnection(expiresAt === undefined ? {} : { expiresAt })),
    );
    sweep(4_999);
    expect([number?.closes, date?.closes]).toEqual([[], []]);
    sweep(1);
    expect([number?.closes, date?.closes]).toEqual([["1001 expired"], ["1001 expired"]]);
    expect([never?.closes, ever?.closes]).toEqual([[], []]);
  });

  test("whose message has been coming for messageTimeoutMs", () => {
    const { add, sweep } = tableOf({ messageTimeoutMs: 3_000 });
    const slow = add(new FakeConnection());
    slow.partSince = clock.now();
    sweep(2_999);
    expect(slow.closes).toEqual([]);
    sweep(1);
    expect(slow.closes).toEqual(["1008 a message took too long to come"]);
  });

  test("nobody for an unfinished message when it is late itself", () => {
    const { add, sweep } = tableOf({ messageTimeoutMs: 1_000 });
    const slow = add(new FakeConnection());
    slow.partSince = clock.now();
    sweep(1_501);
    expect(slow.closes).toEqual([]);
    sweep(1);
    expect(slow.closes).toEqual(["1008 a message took too long to come"]);
  });

  test("nobody that was deleted", () => {
    const { table, add, sweep } = tableOf({ idleTimeoutMs: 1_000 });
    const gone = add(new FakeConnection());
    table.delete(gone as unknown as Connection);
    sweep(1_000);
    expect([gone.closes, table.size, table.connections]).toEqual([[], 0, []]);
  });
});

test("Those of one id are disconnected together, nobody else", () => {
  const { table, add } = tableOf();
  const [one, two, other, none] = [{ id: "a" }, { id: "a" }, { id: "b" }, {}].map((assigns) =>
    add(new FakeConnection(assigns)),
  );
  expect(table.disconnect("a")).toBe(2);
  expect([one?.closes, two?.closes]).toEqual([["1001 disconnected"], ["1001 disconnected"]]);
  expect([other?.closes, none?.closes]).toEqual([[], []]);
  expect(table.disconnect("c")).toBe(0);
});

test("Each connection has a name of its own; how many there have been is known when they are gone", () => {
  const { table } = tableOf();
  expect([table.nextId(), table.nextId()]).toEqual(["connection_1", "connection_2"]);
  expect([table.opened, table.size]).toEqual([2, 0]);
});
