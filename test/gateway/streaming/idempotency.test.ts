import { type Gateway, startGenApi } from "gen-api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import service from "../../fixtures/once.js";
import { urlOf } from "../../support/gateway.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/network/raw-client.ts";
import { Notes } from "../../support/notes.ts";

let gateway: Gateway;
let notes: Notes;
const clients: RawClient[] = [];
beforeAll(async () => {
  gateway = await startGenApi({
    logger: false,
    listen: { port: 0 },
    socket: { connect: ({ params }) => ({ userId: String(params.user_id) }) },
    channels: [{ topic: "api:*", event: "api" }],
    functions: [service],
    workerPool: { threads: 1 },
  });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  notes = new Notes();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.terminate();
  notes[Symbol.dispose]();
});

async function connect(userId: string): Promise<RawClient> {
  const client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0&user_id=${userId}`);
  clients.push(client);
  await client.join("api:x", "1");
  return client;
}

function ask(client: RawClient, id: string, requestType: string, name: string, key = name): void {
  const request = { service: "once", request_type: requestType, request_id: id, args: { name } };
  client.send(["1", id, "api:x", "api", { ...request, idempotency_key: key }]);
}

const final = async (client: RawClient, id: string) => {
  const isFinal = (frame: Frame) => {
    const { request_id, async: isAsync } = frame[4] as { request_id?: string; async?: boolean };
    return frame[3] === "api" && request_id === id && !isAsync;
  };
  return (await client.next(isFinal))[4];
};

test.each(["on_worker", "on_main"])(
  "a call %s whose socket goes is executed once, and answered over the next socket",
  async (requestType) => {
    const name = `lost ${requestType}`;
    const first = await connect("u1");
    ask(first, "a", requestType, name);
    await notes.next(`${name} runs`);
    first.socket.terminate();
    await first.closed;
    const second = await connect("u1");
    ask(second, "b", requestType, name);
    await second.settled();
    notes.tell(`end ${name}`);
    expect(await final(second, "b")).toEqual({
      request_id: "b",
      result: name,
      success: true,
      error: null,
      async: false,
      has_more: false,
      can_retry: false,
    });
    const third = await connect("u1");
    ask(third, "c", requestType, name);
    expect(await final(third, "c")).toMatchObject({ request_id: "c", result: name, replayed: true });
    expect(notes.heard).not.toContain(`${name} runs`);
    // Another user has keys of his own.
    const other = await connect("u2");
    ask(other, "d", requestType, name);
    await notes.next(`${name} runs`);
    notes.tell(`end ${name}`);
    expect(await final(other, "d")).not.toHaveProperty("replayed");
  },
);

test("the host's own calls have keys too", async () => {
  const request = { service: "once", requestType: "on_worker", args: { name: "host" }, idempotencyKey: "h1" };
  const calls = [gateway.call({ ...request, userId: "u1" }), gateway.call({ ...request, userId: "u1" })];
  await notes.next("host runs");
  notes.tell("end host");
  expect(await Promise.all(calls)).toEqual(["host", "host"]);
  // A user is the same over a socket.
  const client = await connect("u1");
  ask(client, "a", "on_worker", "host", "h1");
  expect(await final(client, "a")).toMatchObject({ result: "host", replayed: true });
  expect(notes.heard).not.toContain("host runs");
  const tooLong = { ...request, idempotencyKey: "x".repeat(129) };
  await expect(gateway.call(tooLong)).rejects.toMatchObject({
    code: "invalid_request",
    message: "Invalid request: idempotency_key must be a string of 1 to 128 bytes or null, got 129 bytes",
  });
});
