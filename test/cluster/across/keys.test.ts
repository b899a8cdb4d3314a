import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nextEvent } from "../../support/cluster.ts";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { Notes } from "../../support/notes.ts";
import { until } from "../../support/until.ts";
import { ask, final, Gateways } from "./gateways.ts";

let server: NatsServer;
let notes: Notes;
let gateways: Gateways;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  notes = new Notes();
  gateways = new Gateways(server);
});
afterEach(async () => {
  await gateways[Symbol.asyncDispose]();
  notes[Symbol.dispose]();
});

const later = { requestType: "later" };

describe("a request that is sent again to another gateway", () => {
  test("waits for the call that runs there, and gets the same Response; later it is a replay, on both", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    ask(one, "a", "key-1");
    await notes.next("key-1 runs");
    const other = await gateways.connect(second);
    ask(other, "b", "key-1");
    ask(other, "c", "key-1");
    await other.settled();
    notes.tell("end key-1");
    expect(await final(one, "a")).toMatchObject({ request_id: "a", result: "key-1", success: true });
    expect(await final(other, "b")).toMatchObject({ request_id: "b", result: "key-1", success: true });
    expect(await final(other, "c")).toMatchObject({ request_id: "c", result: "key-1", success: true });
    for (const [client, id] of [
      [one, "d"],
      [other, "e"],
    ] as const) {
      ask(client, id, "key-1");
      expect(await final(client, id)).toMatchObject({ request_id: id, result: "key-1", replayed: true });
    }
    const third = await gateways.connect(await gateways.start());
    ask(third, "f", "key-1");
    expect(await final(third, "f")).toMatchObject({ request_id: "f", result: "key-1", replayed: true });
    expect(notes.heard).toEqual([]);
  });
});

describe("a key", () => {
  test("is its user's own, and one of a client without a user id is its connection's, on every gateway", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    for (const [gateway, userId] of [
      [first, "u1"],
      [second, "u2"],
      [first, null],
      [second, null],
    ] as const) {
      const client = await gateways.connect(gateway, userId);
      ask(client, "a", "whose");
      await notes.next("whose runs");
      notes.tell("end whose");
      expect(await final(client, "a")).not.toHaveProperty("replayed");
    }
  });

  test("that was used with other arguments on another gateway is an invalid request", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    ask(one, "a", "first", { key: "same" });
    await notes.next("first runs");
    const other = await gateways.connect(second);
    ask(other, "b", "second", { key: "same" });
    const error = "Invalid request: idempotency_key was used with other arguments";
    expect(await final(other, "b")).toMatchObject({ error_code: "invalid_request", error });
    notes.tell("end first");
    expect(await final(one, "a")).toMatchObject({ result: "first" });
  });

  test("whose request was refused before it was executed is free for other gateways, and belongs to the one that executes", async () => {
    const [first, second] = [await gateways.start(), await gateways.start()];
    const one = await gateways.connect(first);
    const refused = { service: "once", request_type: "on_worker", args: { name: 7 }, idempotency_key: "free-2" };
    one.send(["1", "b", "api:x", "api", { ...refused, request_id: "b" }]);
    expect(await final(one, "b")).toMatchObject({ error_code: "invalid_argument" });
    const other = await gateways.connect(second);
    ask(other, "c", "taken", { key: "free-2" });
    await notes.next("taken runs");
    ask(one, "d", "taken", { key: "free-2" });
    await one.settled();
    notes.tell("end taken");
    expect(await final(other, "c")).toMatchObject({ result: "taken" });
    expect(await final(one, "d")).toMatchObject({ result: "taken" });
    expect(notes.heard.filter((note) => note.startsWith("taken"))).toEqual([]);
  });

  test("that many gateways get at once has one owner", async () => {
    const started = [await gateways.start(), await gateways.start(), await gateways.start()];
    const asked = await Promise.all(started.map((gateway) => gateways.connect(gateway)));
    for (let round = 0; round < 10; round++) {
      for (const client of asked) ask(client, `r${round}`, `at-once-${round}`);
      await notes.next(`at-once-${round} runs`);
      notes.tell(`end at-once-${round}`);
      const responses = await Promise.all(asked.map((client) => final(client, `r${round}`)));
      expect(responses.map(({ result }) => result)).toEqual(asked.map(() => `at-once-${round}`));
    }
    expect(notes.heard).toEqual([]);
  });
});

test("cancelling a request cancels the call on its other gateway, for all that wait for it", async () => {
  const [first, second] = [await gateways.start(), await gateways.start()];
  const one = await gateways.connect(first);
  ask(one, "a", "cancelled", later);
  await notes.next("cancelled runs");
  const other = await gateways.connect(second);
  ask(other, "b", "cancelled", later);
  // It waits there once it is acknowledged.
  await other.next((frame) => frame[3] === "api");
  other.send(["1", "9", "api:x", "cancel", { request_id: "b" }]);
  expect(await final(other, "b")).toMatchObject({ error_code: "cancelled" });
  expect(await final(one, "a")).toMatchObject({ error_code: "cancelled" });
});

test("a call whose clients are all gone goes on for those of another gateway", async () => {
  const [first, second] = [await gateways.start({ idempotency: { orphanMs: 1 } }), await gateways.start()];
  const one = await gateways.connect(first);
  ask(one, "a", "left", later);
  await notes.next("left runs");
  const other = await gateways.connect(second);
  ask(other, "b", "left", later);
  await other.next((frame) => frame[3] === "api");
  ask(one, "c", "orphan", later);
  await notes.next("orphan runs");
  one.socket.terminate();
  // The time of both has passed when this one is cancelled.
  await until(() => first.diagnostics.statistics().requests.failed.cancelled === 1);
  notes.tell("end left");
  expect(await final(other, "b")).toMatchObject({ result: "left" });
});

test("without NATS a user's request with a key is `unavailable`, and every other one is answered; with NATS again, all are", async () => {
  await using own = await NatsServer.start();
  await using others = new Gateways(own);
  const gateway = await others.start();
  const client = await others.connect(gateway);
  const stranger = await others.connect(gateway, null);
  const lost = nextEvent("cluster.lost");
  await own.signal("SIGKILL");
  await lost;
  ask(client, "a", "cut-off");
  expect(await final(client, "a")).toMatchObject({ error_code: "unavailable", can_retry: true });
  ask(stranger, "a", "alone");
  client.send([
    "1",
    "b",
    "api:x",
    "api",
    { service: "once", request_type: "on_worker", request_id: "b", args: { name: "plain" } },
  ]);
  for (const name of ["alone", "plain"]) {
    await notes.next(`${name} runs`);
    notes.tell(`end ${name}`);
  }
  expect(await final(stranger, "a")).toMatchObject({ result: "alone" });
  expect(await final(client, "b")).toMatchObject({ result: "plain" });
  const back = nextEvent("cluster.back");
  await own.restart();
  await back;
  ask(client, "c", "cut-off");
  await notes.next("cut-off runs");
  notes.tell("end cut-off");
  expect(await final(client, "c")).toMatchObject({ result: "cut-off" });
});
