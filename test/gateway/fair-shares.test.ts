import { expect, test } from "vitest";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

const pools = { threads: 2, asyncPoolSize: 20, streamPoolSize: 20, maxQueueSize: 20 };

test.each([
  ["one socket", () => ({}), 1],
  ["many sockets of one user", () => ({ params: { user_id: "mallory" } }), 4],
  ["many sockets of one network that are nobody", () => ({}), 4],
])(
  "%s with more waiting calls than the pool and its queue have room for keeps no other client waiting",
  async (_, options, sockets) => {
    await using gateway = await startTestGateway({ workerPool: pools });
    await using calm = await connectClient(urlOf(gateway), { params: { user_id: "calm" } });
    const flood = await Promise.all(Array.from({ length: sockets }, () => connectClient(urlOf(gateway), options())));
    const held = flood.flatMap((client) => Array.from({ length: 60 }, () => client.request("holds")));
    for (const call of held) call.catch(() => "the client is closed");
    // When the first is refused, all places and all room in the queue that the flood can have are taken, for good.
    expect((await Promise.race(held)).response.error_code).toBe("unavailable");
    for (let i = 0; i < 5; i++) expect((await calm.request("echo", { msg: i })).response.result).toBe(i);
    for (const client of flood) await client.close();
  },
);

test("silent streams of one socket leave room for the streams of another", async () => {
  await using gateway = await startTestGateway({ workerPool: pools });
  await using flood = await connectClient(urlOf(gateway));
  for (let i = 0; i < 60; i++) {
    flood.channel.push("api", { service: "test", request_type: "quiet", request_id: `q${i}` });
  }
  await flood.request("echo", { msg: "they have come" });
  await using calm = await connectClient(urlOf(gateway), { params: { user_id: "calm" } });
  const ended = new Promise((resolve) =>
    calm.channel.on("api", (response: { has_more: boolean; async: boolean }) => {
      if (!response.has_more) resolve(response);
    }),
  );
  calm.channel.push("api", { service: "test", request_type: "count", request_id: "c", args: { to: 3 } });
  expect(await ended).toMatchObject({ request_id: "c", async: true });
});

test("one socket has at most maxStreamsInFlight streams, and its other requests go on", async () => {
  await using gateway = await startTestGateway({ socket: { maxStreamsInFlight: 2 } });
  await using client = await connectClient(urlOf(gateway));
  const first = new Map<string, unknown>();
  const answered = new Promise<void>((resolve) =>
    client.channel.on("api", (response: { request_id: string; error_code?: string; result: unknown }) => {
      if (!first.has(response.request_id)) first.set(response.request_id, response.error_code ?? response.result);
      if (first.size === 3) resolve();
    }),
  );
  for (const id of ["a", "b", "c"]) {
    client.channel.push("api", { service: "test", request_type: "quiet", request_id: id });
  }
  await answered;
  expect(Object.fromEntries(first)).toEqual({ a: "init", b: "init", c: "unavailable" });
  expect((await client.request("echo", { msg: 1 })).response.result).toBe(1);
  await new Promise((resolve) => client.channel.push("stop_stream", { request_id: "a" }).receive("ok", resolve));
  first.clear();
  const again = new Promise((resolve) =>
    client.channel.on("api", (response: { request_id: string }) => {
      // The streams that live go on meanwhile.
      if (response.request_id === "d") resolve(response);
    }),
  );
  client.channel.push("api", { service: "test", request_type: "quiet", request_id: "d" });
  expect(await again).toMatchObject({ request_id: "d", result: "init" });
});

test("the host program's own calls may have the whole pool", async () => {
  await using gateway = await startTestGateway({ workerPool: { threads: 2, asyncPoolSize: 4, maxQueueSize: 0 } });
  const slow = Array.from({ length: 4 }, () =>
    gateway.call({ service: "test", requestType: "slow", args: { ms: 50 } }),
  );
  expect(await Promise.all(slow)).toHaveLength(4);
});
