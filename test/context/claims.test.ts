import { Joined } from "gen-api";
import { link } from "gen-api/link";
import { describe, expect, test } from "vitest";
import service from "../fixtures/context.js";
import { keep, nextEvent, startGateway, startNode } from "../support/cluster.ts";
import { urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";
import { recordEvents } from "../support/record-events.ts";

const connect = ({ params }: { params: Readonly<Record<string, unknown>> }) => ({
  userId: "u1",
  claims: JSON.parse(String(params.claims ?? "null")),
});
const channel = { topic: "api:*", event: "api" };

async function clientOf(url: string, claims: unknown = null) {
  return keep(await connectClient(url, { params: { claims: JSON.stringify(claims) }, service: "context" }));
}

describe("claims, topic and address reach", () => {
  test("functions on threads and on the main thread, streams, hooks and permission callbacks", async () => {
    const gateway = await startGateway({ socket: { connect }, channels: [channel], functions: [service] });
    const client = await clientOf(urlOf(gateway), { tenant: "t1", seats: { max: 5 }, vip: true });
    const told = {
      topic: "api:lobby",
      ipAddress: "127.0.0.1",
      claims: { tenant: "t1", seats: { max: 5 }, vip: true },
    };
    for (const type of ["on_thread", "on_main", "hooked"]) {
      expect((await client.request(type)).response).toMatchObject({ success: true, result: told });
    }
    expect((await client.request("vips")).response).toMatchObject({ result: "in" });
    const other = await clientOf(urlOf(gateway), { vip: 1 });
    expect((await other.request("vips")).response).toMatchObject({ error_code: "permission_denied" });
    const chunks: unknown[] = [];
    const claims = { tenant: "t2" };
    const request = { service: "context", requestType: "ticks", claims };
    for await (const chunk of gateway.stream(request)) chunks.push(chunk);
    expect(chunks).toEqual([{ topic: null, claims }]);
  });

  test("functions of a service node", async () => {
    const gateway = await startGateway({ socket: { connect }, channels: [channel], cluster: link() });
    const pushed = nextEvent("config.push", ({ metadata }) => metadata.gateway === gateway.name);
    await startNode([gateway], { name: "n1", service: "context", functions: [service] });
    await pushed;
    const client = await clientOf(urlOf(gateway), { tenant: "t1" });
    const told = { topic: "api:lobby", ipAddress: "127.0.0.1", claims: { tenant: "t1" } };
    expect((await client.request("on_thread")).response).toMatchObject({ success: true, result: told });
  });

  test("never from a payload, and are an empty object where nothing vouches for any", async () => {
    const gateway = await startGateway({
      socket: { connect },
      channels: [{ ...channel, overrideUserId: false }],
      functions: [service],
    });
    const client = await clientOf(urlOf(gateway));
    const forged = { claims: { tenant: "t9" }, topic: "api:secret", ip_address: "1.2.3.4", ipAddress: "1.2.3.4" };
    for (const type of ["on_thread", "on_main"]) {
      const { response } = await client.request(type, forged, forged);
      expect(response.result).toEqual({ topic: "api:lobby", ipAddress: "127.0.0.1", claims: {} });
    }
  });
});

describe("a channel's join", () => {
  const joining = (returned: (topic: string) => unknown) =>
    startGateway({
      socket: { connect },
      channels: [{ ...channel, join: ({ topic }) => returned(topic) }],
      functions: [service],
    });

  test("adds claims for its channel alone, and replies", async () => {
    const gateway = await joining((topic) =>
      topic === "api:lobby" ? new Joined({ claims: { room: topic, plan: "pro" }, reply: { hello: 1 } }) : new Joined(),
    );
    const client = await clientOf(urlOf(gateway), { tenant: "t1", plan: "free" });
    const { response } = await client.request("on_thread");
    expect(response.result).toMatchObject({ claims: { tenant: "t1", plan: "pro", room: "api:lobby" } });
    const second = client.socket.channel("api:second");
    const reply = await new Promise((resolve) => second.join().receive("ok", resolve));
    expect(reply).toEqual({});
    const answer = new Promise((resolve) => second.on("api", resolve));
    second.push("api", { service: "context", request_type: "on_thread", request_id: "r1" });
    expect(await answer).toMatchObject({
      result: { topic: "api:second", claims: { tenant: "t1", plan: "free" } },
    });
  });

  test("that returns claims which cannot be is refused, and the log says why", async () => {
    using events = recordEvents("channel.crash");
    const gateway = await joining(() => new Joined({ claims: { at: new Date() } }));
    await expect(clientOf(urlOf(gateway))).rejects.toThrow('join refused: {"reason":"join crashed"}');
    const error = {
      code: "invalid_option",
      message: "the claims that join returns.at must be a JSON value, got map",
    };
    expect(events.messages).toMatchObject([{ metadata: { error } }]);
  });
});

test("checkPermission by claim", async () => {
  const gateway = await startGateway({ socket: { connect }, channels: [channel], functions: [service] });
  const client = await clientOf(urlOf(gateway), { tenant: "t1", plan: "pro" });
  expect((await client.request("of_tenant", { tenant_id: "t1" })).response).toMatchObject({ result: "t1" });
  expect((await client.request("of_tenant", { tenant_id: "t2" })).response).toMatchObject({
    error_code: "permission_denied",
  });
  expect((await client.request("for_pros")).response).toMatchObject({ result: "in" });
  const free = await clientOf(urlOf(gateway), { plan: "free" });
  expect((await free.request("for_pros")).response).toMatchObject({ error_code: "permission_denied" });
  const { inspectRequest } = gateway.diagnostics;
  const asked = { service: "context", requestType: "for_pros" };
  const inspect = (claims: Record<string, unknown>) => inspectRequest.call(gateway.diagnostics, { ...asked, claims });
  expect(inspect({ plan: "pro" })).toMatchObject({ outcome: "would_run" });
  expect(inspect({ plan: "free" })).toMatchObject({ outcome: "permission_denied" });
  expect(inspect({ plan: "free" }).stages.at(-1)?.summary).toBe("who has the claim plan as one of pro, team: denied");
  expect(() => inspect([] as never)).toThrow(
    expect.objectContaining({
      code: "invalid_request",
      message: expect.stringContaining("claims must be a plain obj"),
    }),
  );
});

test("a limit by claim counts per tenant", async () => {
  const gateway = await startGateway({
    socket: { connect },
    channels: [channel],
    functions: [service],
    rateLimiter: { globalLimits: [{ key: "claims.tenant", maxRequests: 2, windowMs: 60_000 }] },
  });
  const call = async (claims: object) => (await (await clientOf(urlOf(gateway), claims)).request("limited")).response;
  expect(await call({ tenant: "t1" })).toMatchObject({ success: true });
  expect(await call({ tenant: "t1" })).toMatchObject({ success: true });
  expect(await call({ tenant: "t1" })).toMatchObject({ error_code: "rate_limited" });
  expect(await call({ tenant: "t2" })).toMatchObject({ success: true });
  for (let n = 0; n < 3; n++) expect(await call({})).toMatchObject({ success: true });
  const asked = { service: "context", requestType: "limited", claims: { tenant: "t1" } };
  expect(gateway.diagnostics.inspectRequest(asked)).toMatchObject({ outcome: "rate_limited" });
});

test("wrong permissions and limits name the field, what is allowed and what came", async () => {
  const functions = [
    { service: "s", requestType: "x", nodes: "local", timeout: 100, mfa: "m.x", checkPermission: { claim: "plan" } },
  ];
  await expect(startGateway({ functions: functions as never })).rejects.toThrow(
    /checkPermission must be .*\{claim: claim, arg: argument\} or \{claim: claim, in: \[value, …\]\}, got/,
  );
  const globalLimits = [{ key: "claims.", maxRequests: 1, windowMs: 1 }];
  await expect(startGateway({ rateLimiter: { globalLimits } })).rejects.toThrow(
    /globalLimits\[0\]\.key must be .*"claims\.NAME".*, got "claims\."/,
  );
});
