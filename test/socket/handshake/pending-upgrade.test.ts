import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { PendingUpgrade } from "../../../src/socket/handshake/pending-upgrade.ts";
import { settled } from "../../support/simulated-clock.ts";

/** An upgrade under way on a socket that nothing comes from but what the test says. */
function open() {
  const socket = new Socket();
  const upgrade = new PendingUpgrade(socket, Buffer.from("head "));
  const refusals: string[] = [];
  void upgrade.givenUp.then(({ status, reason }) => refusals.push(`${status} ${reason}`));
  return { socket, upgrade, refusals };
}

describe("an upgrade that is not answered yet", () => {
  test("keeps what its client sends too early, up to 64 KiB, for when it is let in", async () => {
    const { socket, upgrade, refusals } = open();
    socket.emit("data", Buffer.alloc(65_535, "x"));
    socket.emit("data", Buffer.from("y"));
    await settled();
    expect([refusals, upgrade.signal.aborted]).toEqual([[], false]);
    const early = upgrade.release();
    expect([early.length, `${early.subarray(0, 6)}`, early.at(-1)]).toEqual([65_536 + 5, "head x", 0x79]);
    socket.destroy();
  });

  test("is given up where its client sends more", async () => {
    const { socket, upgrade, refusals } = open();
    socket.emit("data", Buffer.alloc(65_536));
    socket.emit("data", Buffer.from("y"));
    socket.emit("data", Buffer.from("z"));
    await settled();
    expect(refusals).toEqual(["400 the client sent more than 65536 bytes before it was let in"]);
    expect(upgrade.signal.reason).toMatchObject({ code: "cancelled" });
    // Nothing of it stays in memory.
    expect(upgrade.release().length).toBeLessThanOrEqual(1);
    socket.destroy();
  });

  test.each(["end", "close"])("is given up, once, at its socket's %s", async (event) => {
    const { socket, upgrade, refusals } = open();
    socket.emit(event);
    upgrade.giveUp({ status: 500, reason: "another" });
    await settled();
    expect([refusals, upgrade.signal.aborted]).toEqual([["503 the client has gone"], true]);
    socket.destroy();
  });

  test("is given up at once where its socket has gone before", async () => {
    const socket = new Socket();
    socket.destroy();
    const { givenUp } = new PendingUpgrade(socket, Buffer.alloc(0));
    expect(await givenUp).toMatchObject({ status: 503 });
  });

  test("lets go of its socket when it is answered: whatever comes of that gives nothing up, and nobody listens", async () => {
    const socket = new Socket();
    const before = ["data", "end", "close"].map((event) => socket.listenerCount(event));
    const upgrade = new PendingUpgrade(socket, Buffer.alloc(0));
    upgrade.release();
    expect(socket.isPaused()).toBe(true);
    upgrade.giveUp({ status: 500, reason: "late" });
    expect(upgrade.signal.aborted).toBe(false);
    expect(["data", "end"].map((event) => socket.listenerCount(event))).toEqual(before.slice(0, 2));
    socket.destroy();
    await settled();
    expect(upgrade.signal.aborted).toBe(false);
  });
});
