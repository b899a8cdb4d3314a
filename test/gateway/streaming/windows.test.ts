import { type Gateway, type GatewayOptions, startGenApi } from "gen-api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import service from "../../fixtures/streams/counted.js";
import { keep, nextEvent, startGateway, startNode } from "../../support/cluster.ts";
import { urlOf } from "../../support/gateway.ts";
import { connectRaw, type Frame, type RawClient } from "../../support/network/raw-client.ts";
import { Notes } from "../../support/notes.ts";

const options: GatewayOptions = {
  logger: false,
  listen: { port: 0 },
  channels: [{ topic: "api:*", event: "api" }],
  functions: [service],
  workerPool: { threads: 1 },
};

let gateway: Gateway;
let notes: Notes;
let client: RawClient;
beforeAll(async () => {
  gateway = await startGenApi(options);
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  notes = new Notes();
  client = await connect(gateway);
});
afterEach(async () => {
  await client.close();
  notes[Symbol.dispose]();
});

async function connect(to: Gateway): Promise<RawClient> {
  const connected = await connectRaw(`${urlOf(to)}/websocket?vsn=2.0.0`);
  await connected.join("api:x", "1");
  return connected;
}

function send(ref: string | null, event: string, payload: object, by = client): void {
  by.send(["1", ref, "api:x", event, payload]);
}

function start(id: string, requestType: string, args: object, more: object = {}, by = client): void {
  send(id, "api", { service: "counted", request_type: requestType, request_id: id, args, ...more }, by);
}

type Response = { readonly request_id: string; readonly result: unknown; readonly seq?: number };
const isResponse = (id: string) => (frame: Frame) =>
  frame[3] === "api" && (frame[4] as Response).request_id === id && (frame[4] as Response).result !== "init";
const next = async (id: string, by = client) => (await by.next(isResponse(id)))[4] as Response;

/** The chunks of a stream come as far as its window, its generator stands there, and goes on as they are acknowledged. */
async function expectWindow(requestType: string, window: number, by = client): Promise<void> {
  start("a", requestType, { name: requestType, to: window + 2 }, { window }, by);
  for (let seq = 1; seq <= window; seq++) expect(await next("a", by)).toMatchObject({ result: seq, seq });
  await notes.next(`${requestType} makes ${window}`);
  // The producer's thread, and whoever stands between, has had its turns.
  for (let round = 0; round < 3; round++) {
    start(`e${round}`, "echo", { msg: round }, {}, by);
    await next(`e${round}`, by);
  }
  expect(by.frames.filter(isResponse("a"))).toEqual([]);
  expect(notes.heard).not.toContain(`${requestType} makes ${window + 1}`);
  send(null, "ack", { request_id: "a", seq: 1 }, by);
  expect(await next("a", by)).toMatchObject({ result: window + 1, seq: window + 1 });
  send("all", "ack", { request_id: "a", seq: window + 1 }, by);
  expect((await by.reply("all"))[4]).toEqual({ status: "ok", response: {} });
  expect(await next("a", by)).toMatchObject({ result: window + 2, seq: window + 2 });
  // A generator that may not go on does not know yet that it has come to its end.
  send(null, "ack", { request_id: "a", seq: window + 2 }, by);
  expect(await next("a", by)).toMatchObject({ result: null, seq: window + 3, has_more: false });
  await notes.next(`${requestType} makes ${window + 2}`);
}

describe.each(["on_worker", "on_main"])("a stream %s", (requestType) => {
  // Fewer chunks than a thread may send at once, as many, and more.
  test.each([1, 3, 32, 100])("with a window of %i stands still when that many chunks are unacknowledged", (window) =>
    expectWindow(requestType, window),
  );

  test("with a window that is never full goes on without an acknowledgement, and ends", async () => {
    start("a", requestType, { name: "short", to: 4 }, { window: 5 });
    for (let seq = 1; seq <= 4; seq++) expect(await next("a")).toMatchObject({ result: seq, seq });
    expect(await next("a")).toMatchObject({ result: null, seq: 5, has_more: false });
  });

  test("with large chunks fills its window, although they are more than a thread may send at once", async () => {
    start("a", requestType, { name: "large", to: 21, size: 100_000 }, { window: 20 });
    for (let seq = 1; seq <= 20; seq++) expect(await next("a")).toMatchObject({ seq });
    send(null, "ack", { request_id: "a", seq: 20 });
    expect(await next("a")).toMatchObject({ seq: 21 });
  });
});

test.each([3, 40])("a stream of a service node with a window of %i stands still at the node", async (window) => {
  const far = await startGateway({ name: "far@127.0.0.1" });
  const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === "far@127.0.0.1");
  await startNode([far], { name: "node@127.0.0.1", service: "counted", functions: [service] });
  await pushed;
  const by = await connect(far);
  keep({ [Symbol.asyncDispose]: () => by.close() });
  await expectWindow("on_worker", window, by);
});

test("an acknowledgement of what was never sent is answered if it has a ref, and otherwise ignored", async () => {
  start("a", "on_worker", { name: "bad", to: 9 }, { window: 2 });
  start("b", "on_worker", { name: "no window", to: 100_000 });
  await Promise.all([client.reply("a"), client.reply("b")]);
  await next("a");
  await next("a");
  const bad = [
    [{ request_id: "a", seq: 3 }, "invalid_seq"],
    [{ request_id: "a", seq: -1 }, "invalid_seq"],
    [{ request_id: "a", seq: "2" }, "invalid_seq"],
    [{ request_id: "a" }, "invalid_seq"],
    [{ request_id: "b", seq: 1 }, "invalid_seq"],
    [{ request_id: "other", seq: 1 }, "not_found"],
    [{ request_id: 7, seq: 1 }, "not_found"],
    [{}, "not_found"],
    [null, "not_found"],
    [[1], "not_found"],
    ["a", "not_found"],
  ] as const;
  for (const [payload, reason] of bad) {
    client.send(["1", null, "api:x", "ack", payload]);
    client.send(["1", "ref", "api:x", "ack", payload]);
    const reply = await client.next((frame) => frame[3] !== "api");
    expect(reply).toEqual(["1", "ref", "api:x", "phx_reply", { status: "error", response: { reason } }]);
  }
  expect(client.frames.filter(isResponse("a"))).toEqual([]);
  send("stop", "stop_stream", { request_id: "b" });
  await client.reply("stop");
});

test("a client whose stream has a window can cancel it while it stands still", async () => {
  start("a", "on_worker", { name: "cancelled", to: 9 }, { window: 1 });
  await next("a");
  send("c", "cancel", { request_id: "a" });
  await client.reply("c");
  expect(await next("a")).toMatchObject({ error_code: "cancelled", seq: 2 });
});

test.each([0, 1_025, 2.5, "8"])(
  "a window of %j is an invalid request that names it, whatever the kind",
  async (window) => {
    for (const requestType of ["on_worker", "echo"]) {
      start("a", requestType, {}, { window });
      const problem = `window must be a whole number from 1 to 1024 or null, got ${JSON.stringify(window)}`;
      expect(await next("a")).toMatchObject({ error_code: "invalid_request", error: `Invalid request: ${problem}` });
      expect((await client.reply("a"))[4]).toEqual({ status: "error", response: problem });
    }
  },
);

test("gateway.stream with a window runs that far ahead of its loop, and no further", async () => {
  const taken = gateway.stream({
    service: "counted",
    requestType: "on_worker",
    args: { name: "host", to: 100 },
    window: 2,
  });
  const results: unknown[] = [];
  for await (const result of taken) {
    results.push(result);
    await notes.next(`host makes ${results.length}`);
    await gateway.call({ service: "counted", requestType: "echo", args: { msg: 1 } });
    expect(notes.heard).not.toContain(`host makes ${results.length + 3}`);
    if (results.length === 5) break;
  }
  expect(results).toEqual([1, 2, 3, 4, 5]);
});
