import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { SocketMemory } from "../../../src/socket/inbound/socket-memory.ts";
import { closeCode, frame, upgraded } from "../../support/network/hand-made-frames.ts";
import { listenTo, openGateway } from "../open-gateway.ts";

test("whatever sockets hold, together it is never more than allowed, and who holds most goes first", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ who: fc.nat(9), bytes: fc.integer({ min: -300, max: 400 }) })), (changes) => {
      const memory = new SocketMemory(1_000);
      const shed: number[] = [];
      const holders = Array.from({ length: 10 }, (_, who) => ({
        heldBytes: 0,
        shed(heldBytes: number) {
          expect(heldBytes).toBe(Math.max(heldBytes, ...holders.map((holder) => holder.heldBytes)));
          shed.push(who);
        },
      }));
      for (const { who, bytes } of changes) {
        const holder = holders[who];
        if (holder === undefined || shed.includes(who)) continue;
        memory.change(holder, Math.max(bytes, -holder.heldBytes));
        expect(memory.bytes).toBeLessThanOrEqual(1_000);
        expect(memory.bytes).toBe(holders.reduce((sum, { heldBytes }) => sum + heldBytes, 0));
      }
    }),
  );
});

describe("the memory of all sockets", () => {
  const holderOf = (log: string[], name: string) => ({
    heldBytes: 0,
    shed: (heldBytes: number) => void log.push(`${name} ${heldBytes}`),
  });

  test("may be as large as allowed, and not a byte larger", () => {
    const log: string[] = [];
    const memory = new SocketMemory(1_000);
    const [one, two] = [holderOf(log, "one"), holderOf(log, "two")];
    memory.change(one, 400);
    memory.change(two, 600);
    expect([memory.bytes, log]).toEqual([1_000, []]);
    memory.change(one, 1);
    expect([memory.bytes, log]).toEqual([401, ["two 600"]]);
    expect([one.heldBytes, two.heldBytes]).toEqual([401, 0]);
  });

  test("loses as many of those that hold most as it takes, each once", () => {
    const log: string[] = [];
    const memory = new SocketMemory(1_000);
    for (const [name, bytes] of [
      ["a", 300],
      ["b", 200],
      ["c", 499],
    ] as const)
      memory.change(holderOf(log, name), bytes);
    memory.change(holderOf(log, "d"), 901);
    expect([log, memory.bytes]).toEqual([["d 901"], 999]);
    memory.change(holderOf(log, "e"), 498);
    expect([log.slice(1), memory.bytes]).toEqual([["c 499"], 998]);
  });

  test("does not count who is gone, nor who holds nothing any more", () => {
    const log: string[] = [];
    const memory = new SocketMemory(1_000);
    const [one, two, three] = [holderOf(log, "one"), holderOf(log, "two"), holderOf(log, "three")];
    memory.change(one, 900);
    memory.release(one);
    memory.change(two, 900);
    memory.change(two, -900);
    expect(memory.bytes).toBe(0);
    memory.change(three, 1_001);
    expect(log).toEqual(["three 1001"]);
  });
});

describe("sockets together hold at most maxHeldBytes:", () => {
  it("of those whose messages never end the largest is closed with 1013; the others and all else go on", async () => {
    await using gateway = await openGateway({ maxHeldBytes: 1_000_000, closeTimeoutMs: 100 });
    using shed = listenTo("connection.shed");
    const calm = await gateway.joined();
    const sockets = await Promise.all(Array.from({ length: 4 }, () => upgraded(gateway.url)));
    const closed = sockets.map((socket) => closeCode(socket));
    const [largest, ...others] = sockets;
    largest?.write(frame(1, Buffer.alloc(300_000, "x"), false));
    await expect.poll(() => gateway.memory.bytes).toBeGreaterThan(300_000);
    for (const socket of others) socket.write(frame(1, Buffer.alloc(240_000, "x"), false));
    expect(await closed[0]).toBe(1013);
    expect(shed.messages.map(({ measurements }) => measurements.held_bytes > 300_000)).toEqual([true]);
    await calm.settled();
    expect(gateway.table.size).toBe(4);
    for (const socket of others) socket.destroy();
    await expect.poll(() => gateway.memory.bytes).toBe(0);
  });

  it("of those that do not read what they asked for the largest are closed", async () => {
    await using gateway = await openGateway({ maxHeldBytes: 3_000_000, closeTimeoutMs: 100 });
    using shed = listenTo("connection.shed");
    // More than a socket's own buffers take.
    const answer = JSON.stringify("x".repeat(8_000_000));
    gateway.handle = (_payload, _bytes, _caller, replyTo) => replyTo.answer(answer, "ok", '"big"');
    const calm = await gateway.joined();
    for (let n = 0; n < 3; n++) {
      const silent = await gateway.joined();
      silent.socket.pause();
      silent.send(["1", "2", "api:a", "api", {}]);
    }
    await expect.poll(() => shed.messages.length).toBe(3);
    await calm.settled();
    await expect.poll(() => gateway.memory.bytes).toBe(0);
    for (const client of gateway.clients) client.socket.resume();
  });

  it("payloads of joins under way count as what they take in memory, for each socket and in sum", async () => {
    let letIn: (reply: object) => void = () => undefined;
    const join = () =>
      new Promise<object>((resolve) => {
        letIn = resolve;
      });
    const options = { maxRequestBytesInFlight: 8_000_000, maxHeldBytes: 100_000_000 };
    await using gateway = await openGateway({ ...options, channels: [{ topic: "api:*", event: "api", join }] });
    const client = await gateway.connect();
    const manyMaps = Array.from({ length: 150_000 }, () => ({}));
    client.send(["1", "1", "api:a", "phx_join", manyMaps]);
    client.send(["2", "2", "api:b", "phx_join", manyMaps]);
    const refused = { status: "error", response: { reason: "too many joins under way" } };
    expect((await client.reply("2"))[4]).toEqual(refused);
    expect(gateway.memory.bytes).toBeGreaterThan(9_000_000);
    letIn({});
    expect((await client.reply("1"))[4]).toMatchObject({ status: "ok" });
    expect(gateway.memory.bytes).toBe(0);
  });

  it("a payload that is nested too deep is refused before it is parsed, under its own request_id", async () => {
    await using gateway = await openGateway();
    const client = await gateway.joined();
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    client.send(`["2","2","api:deep","phx_join",${deep}]`);
    expect((await client.reply("2"))[4]).toEqual({ status: "error", response: { reason: "payload too deep" } });
    client.send(`["1","3","api:a","api",{"request_id":"r","args":${deep}}]`);
    await client.reply("3");
    expect(gateway.handled.map(({ payload }) => payload)).toEqual([{ request_id: "r" }]);
  });

  it("messages that wait for a join are held as they came, and counted until they are handled", async () => {
    let letIn: (reply: object) => void = () => undefined;
    const join = () =>
      new Promise<object>((resolve) => {
        letIn = resolve;
      });
    await using gateway = await openGateway({ channels: [{ topic: "api:*", event: "api", join }] });
    const client = await gateway.connect();
    client.send(["1", "1", "api:a", "phx_join", {}]);
    const payload = { text: "x".repeat(100_000) };
    for (const ref of ["2", "3", "4"]) client.send(["1", ref, "api:a", "api", payload]);
    await client.settled();
    expect(gateway.memory.bytes).toBeGreaterThan(300_000);
    letIn({});
    for (const ref of ["2", "3", "4"]) await client.reply(ref);
    await client.settled();
    expect(gateway.handled.map((handled) => handled.payload)).toEqual([payload, payload, payload]);
    expect(gateway.memory.bytes).toBe(0);
  });
});

it("a message that has begun has to end within messageTimeoutMs, whatever else the client sends meanwhile", async () => {
  await using gateway = await openGateway({ messageTimeoutMs: 100, closeTimeoutMs: 100 });
  const [slow, other] = [await upgraded(gateway.url), await gateway.joined()];
  const code = closeCode(slow);
  slow.write(frame(1, Buffer.alloc(20_000, "x"), false));
  const pings = setInterval(() => slow.write(frame(9, Buffer.from("still here"))), 20);
  expect(await code).toBe(1008);
  clearInterval(pings);
  await other.settled();
});
