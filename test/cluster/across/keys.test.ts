import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NatsServer } from "../../support/nats/nats-server.ts";
import { Notes } from "../../support/notes.ts";
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
