import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { subprotocol } from "../../src/node/link/admission.ts";
import { connectRaw, type RawClient } from "../support/network/raw-client.ts";
import { messages, requests } from "./bytes.ts";
import { HostileGateway } from "./hostile-gateway.ts";
import { burst } from "./request-burst.ts";

let gateway: HostileGateway;
let calm: RawClient;

beforeAll(async () => {
  gateway = await HostileGateway.start();
  calm = await connectRaw(gateway.url());
  await calm.join("api:calm");
});

afterAll(() => gateway[Symbol.asyncDispose]());

// The process lives, nothing reached its last resort, and others are served.
afterEach(async () => {
  expect(gateway.isAlive, "the gateway's process has ended").toBe(true);
  expect(await gateway.lastResort()).toEqual([]);
  const echoes = ["echo", "echo_main"].map((requestType) => {
    return { service: "s", requestType, args: { value: 1 }, kind: "call" as const, name: `neighbour ${requestType}` };
  });
  expect(await burst(calm, "api:calm", echoes)).toEqual([]);
});

describe.each(["the clients' port", "the admin port"])("%s lives when a stranger sends", (where) => {
  describe.each(["and resets", "and ends"])("%s", (how) => {
    test.each(requests)("%s", async (_, bytes) => {
      const port = where === "the admin port" ? gateway.adminPort : gateway.port;
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      // Not `once` of node:events, which rejects when the gateway resets what it has refused.
      const closed = new Promise((resolve) => socket.once("close", resolve));
      await once(socket, "connect");
      const sent = typeof bytes === "string" ? bytes.replace("HOST", `127.0.0.1:${port}`) : bytes;
      await new Promise<void>((resolve) => socket.write(sent, "latin1", () => resolve()));
      if (how === "and resets") socket.resetAndDestroy();
      else socket.end();
      socket.resume();
      // An unfinished request is waited for: its sender goes.
      if (how === "and ends") setTimeout(() => socket.destroy(), 300);
      await closed;
    });
  });
});

describe.each([
  ["a client", () => connectRaw(gateway.url())],
  ["a node", () => connectRaw(`ws://127.0.0.1:${gateway.port}/node`, { protocols: [subprotocol] })],
])("a gateway lives when %s sends", (who, open) => {
  test.each(messages)("%s", async (_, message) => {
    const client = await open();
    // What a gateway says to a node is no JSON.
    if (who === "a node") client.socket.removeAllListeners("message");
    if (who === "a client") await client.join("api:calm");
    client.send(message);
    // A node that does not speak the protocol is sent away.
    if (who === "a client") await client.settled().catch(() => undefined);
    else await client.closed;
    client.socket.terminate();
    await client.closed;
  });
});
