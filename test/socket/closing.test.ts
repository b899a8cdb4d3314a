import { describe, expect, test } from "vitest";
import { settled } from "../support/simulated-clock.ts";
import { fakeConnection } from "./fake-connection.ts";

describe("a connection that is to close when it is idle", () => {
  test("closes when its client has sent nothing for 10 ms", async () => {
    const { connection, clock, transport, log } = fakeConnection();
    connection.closeWhenIdle();
    await clock.advanceAsync(9);
    transport.bytesReceived = 5;
    await clock.advanceAsync(1);
    await clock.advanceAsync(9);
    expect(log).toEqual([]);
    await clock.advanceAsync(1);
    expect(log).toEqual(["close 1012 the gateway stops"]);
    expect(clock.pending).toBe(0);
  });

  test("waits for what came and is not handled", async () => {
    const { connection, clock, transport, log } = fakeConnection();
    transport.isBusy = true;
    connection.closeWhenIdle();
    await clock.advanceAsync(100);
    expect(log).toEqual([]);
    transport.isBusy = false;
    await clock.advanceAsync(10);
    expect(log).toEqual(["close 1012 the gateway stops"]);
  });

  test("closes after two seconds though its client never stops sending", async () => {
    const { connection, clock, transport, log } = fakeConnection();
    transport.isBusy = true;
    connection.closeWhenIdle();
    await clock.advanceAsync(1_999);
    expect(log).toEqual([]);
    await clock.advanceAsync(1);
    expect([log, clock.pending]).toEqual([["close 1012 the gateway stops"], 0]);
  });

  test("looks no more when it was closed otherwise meanwhile", async () => {
    const { connection, clock, transport, log } = fakeConnection();
    transport.isBusy = true;
    connection.closeWhenIdle();
    await clock.advanceAsync(10);
    connection.close(1001, "expired");
    await clock.advanceAsync(10);
    expect([log, clock.pending]).toEqual([["close 1001 expired"], 0]);
  });
});

describe("whoever waits until a connection closes", () => {
  test("is told when it closes, or is gone; at once where it does already", async () => {
    for (const end of ["close", "closed"] as const) {
      const { connection } = fakeConnection();
      let isClosing = false;
      const closing = connection.drain().then(() => {
        isClosing = true;
      });
      await settled();
      expect(isClosing).toBe(false);
      if (end === "close") connection.close(1001, "expired");
      else connection.closed();
      await closing;
      await connection.drain();
    }
  });
});

describe("a connection that closes", () => {
  test("closes once, as it was told first, and handles nothing more", async () => {
    const { connection, log, send, channelsStarted, received } = fakeConnection();
    send("1", "1", "api:a", "phx_join", {});
    connection.close(1001, "expired");
    connection.close(1011, "again");
    send("2", "2", "api:b", "phx_join", {});
    expect(log).toEqual(["stop api:a", "close 1001 expired"]);
    expect(connection.closing).toEqual({ code: 1001, reason: "expired" });
    expect(channelsStarted).toHaveLength(1);
    // What was to be sent leaves before the close frame.
    expect(await received()).toHaveLength(1);
    connection.closed();
    expect(connection.closing).toEqual({ code: 1001, reason: "expired" });
  });

  test("because all hold too much counts as free at once, and holds nothing from then on", () => {
    const { connection, log, memory } = fakeConnection(undefined, { maxHeldBytes: 1_000 });
    connection.onHeld(1_001);
    expect(log).toEqual(["abandon 1013 too much data waits for all clients together"]);
    expect(connection.closing).toMatchObject({ code: 1013 });
    connection.onHeld(500);
    connection.onHeld(-1_501);
    expect(memory.bytes).toBe(0);
    connection.closed();
    expect(memory.bytes).toBe(0);
  });
});
