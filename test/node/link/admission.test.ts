import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { isLoopbackAddress, isLoopbackHost } from "../../../src/core/net/loopback.ts";
import { type LinkCaller, refusalOf } from "../../../src/node/link/admission.ts";
import { LinkPlaces } from "../../../src/node/link/link-places.ts";
import { recordEvents } from "../../support/record-events.ts";
import { until } from "../../support/until.ts";
import { openGateway, openNode } from "./open-link.ts";

/** An address of this machine that is not loopback, where it has one. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;

/** The status that a gateway answers an upgrade request with. */
async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  const { hostname, port, pathname } = new URL(url);
  const asked: ClientRequest = request({ hostname, port, path: pathname, headers: { ...upgradeHeaders, ...headers } });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on("error", reject);
    asked.on("response", (response) => resolve(response.resume().statusCode));
    asked.on("upgrade", (response: IncomingMessage) => {
      response.socket.on("error", () => response.socket.destroy());
      response.socket.destroy();
      resolve(response.statusCode);
    });
  });
}

const upgradeHeaders = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-protocol": "gen-api.node.1",
};

describe("who may speak to a gateway:", () => {
  const local: LinkCaller = { isLoopback: true, isSecure: false, origin: undefined, protocols: "gen-api.node.1" };
  const remote: LinkCaller = { ...local, isLoopback: false };
  const secure: LinkCaller = { ...remote, isSecure: true };
  const noToken = { hasToken: false, insecure: false };
  const token = { hasToken: true, insecure: false };
  const insecure = { hasToken: true, insecure: true };

  it.each([
    ["a node on this machine, without a token", local, noToken, undefined],
    ["a node on this machine, with a token", local, token, undefined],
    ["a node elsewhere, without a token", secure, noToken, 403],
    ["a node elsewhere, without a token, insecure", remote, { hasToken: false, insecure: true }, 403],
    ["a node elsewhere, without TLS", remote, token, 403],
    ["a node elsewhere, without TLS, insecure", remote, insecure, undefined],
    ["a node elsewhere, with TLS", secure, token, undefined],
    ["a browser on this machine", { ...local, origin: "http://evil.example" }, noToken, 403],
    ["a browser elsewhere", { ...secure, origin: "null" }, insecure, 403],
    ["who offers no subprotocol", { ...local, protocols: undefined }, noToken, 400],
    ["who offers another subprotocol", { ...local, protocols: "gen-api.node.2" }, noToken, 400],
    ["who offers several", { ...local, protocols: "gen-api.node.2, gen-api.node.1" }, noToken, undefined],
  ])("%s", (_, caller, rule, status) => {
    expect(refusalOf(caller, rule)?.status).toBe(status);
  });

  it("loopback is told by the whole address", () => {
    for (const address of ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"]) {
      expect([address, isLoopbackAddress(address)]).toEqual([address, true]);
    }
    for (const address of [
      "128.0.0.1",
      "10.127.0.1",
      "::2",
      "::ffff:10.0.0.1",
      "::",
      "0.0.0.0",
      "",
      "127.0.0.1.evil",
    ]) {
      expect([address, isLoopbackAddress(address)]).toEqual([address, false]);
    }
    for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "::1"]) expect(isLoopbackHost(host)).toBe(true);
    for (const host of ["localhost.evil", "127.0.0.1.evil", "[::2]", ""]) expect(isLoopbackHost(host)).toBe(false);
  });
});

describe("a gateway's link", () => {
  it("lets a node of this machine in, and speaks the subprotocol", async () => {
    await using gateway = await openGateway();
    expect(await statusOf(gateway.url)).toBe(101);
  });

  it.runIf(ownAddress !== undefined)("refuses who comes from another address than loopback without TLS", async () => {
    using refused = recordEvents("node.link.refuse");
    await using gateway = await openGateway({}, { hasToken: true }, ownAddress);
    expect(await statusOf(gateway.url)).toBe(403);
    await using open = await openGateway({ insecure: true }, { hasToken: true }, ownAddress);
    expect(await statusOf(open.url)).toBe(101);
    expect((await open.ends.next()).pipe.isLoopback).toBe(false);
    await using tokenless = await openGateway({ insecure: true }, { hasToken: false }, ownAddress);
    expect(await statusOf(tokenless.url)).toBe(403);
    expect(refused.messages.map(({ metadata }) => metadata)).toEqual([
      { gateway: "test", address: ownAddress, status: 403, reason: expect.stringContaining("without TLS") },
      { gateway: "test", address: ownAddress, status: 403, reason: expect.stringContaining("without a pushToken") },
    ]);
  });

  it.runIf(ownAddress !== undefined)(
    "is not spoken to without TLS by a node elsewhere, whatever its name",
    async () => {
      await using gateway = await openGateway({ insecure: true }, { hasToken: true }, ownAddress);
      using retries = recordEvents("node.link.retry");
      using node = openNode({ gateways: [gateway.url] }, { hasToken: true });
      await until(() => retries.messages.length > 0);
      expect(retries.messages[0]?.metadata).toMatchObject({ reason: expect.stringMatching(/^without TLS/) });
      expect(node.ends.size).toBe(0);
      using insecure = openNode({ gateways: [gateway.url], insecure: true }, { hasToken: true });
      expect((await insecure.ends.next()).pipe.isLoopback).toBe(false);
      node.endpoint.close();
      insecure.endpoint.close();
    },
  );

  it("takes who comes through a proxy on this machine for somebody elsewhere", async () => {
    await using gateway = await openGateway();
    for (const header of ["x-forwarded-for", "forwarded", "x-real-ip", "via"]) {
      expect(await statusOf(gateway.url, { [header]: "127.0.0.1" })).toBe(403);
    }
  });

  it("refuses browsers, and whoever does not offer its subprotocol", async () => {
    await using gateway = await openGateway();
    expect(await statusOf(gateway.url, { origin: "http://127.0.0.1:4000" })).toBe(403);
    expect(await statusOf(gateway.url, { "sec-websocket-protocol": "phoenix" })).toBe(400);
  });

  it("answers a malformed upgrade request, and keeps no place for it", async () => {
    await using gateway = await openGateway({ maxConnections: 1 });
    expect(await statusOf(gateway.url, { "sec-websocket-key": "short" })).toBe(400);
    expect(await statusOf(gateway.url, { "sec-websocket-version": "7" })).toBe(400);
    expect(await statusOf(gateway.url)).toBe(101);
  });

  it("leaves requests for other paths alone", async () => {
    await using gateway = await openGateway({ path: "/cluster" });
    const { origin } = new URL(gateway.url.replace("ws:", "http:"));
    for (const path of ["/node", "/cluster/x", "/CLUSTER"]) {
      const asked = request(`${origin}${path}`, { headers: upgradeHeaders }).end();
      const gone = once(asked, "error");
      expect(await gateway.untaken.next()).toBe(path);
      await gone;
    }
    expect(await statusOf(gateway.url)).toBe(101);
  });

  it("has so many places, and gives a place that is free again to the next", async () => {
    await using gateway = await openGateway({ maxConnections: 2 });
    using first = openNode({ gateways: [gateway.url] });
    using second = openNode({ gateways: [gateway.url] });
    const ends = [await gateway.ends.next(), await gateway.ends.next()];
    for (const end of ends) end.isUp = true;
    expect(await statusOf(gateway.url)).toBe(503);
    const freed = first.ends.next();
    first.endpoint.close();
    await Promise.race(ends.map((end) => end.ended));
    await freed;
    await expect.poll(() => statusOf(gateway.url)).toBe(101);
    second.endpoint.close();
  });

  it("has few places for an address that has proven nothing, and the rest for who has", async () => {
    await using gateway = await openGateway({ maxUnprovenPerAddress: 2 });
    using nodes = openNode({ gateways: [gateway.url, gateway.url.replace("127.0.0.1", "localhost")] });
    const ends = [await gateway.ends.next(), await gateway.ends.next()];
    expect(await statusOf(gateway.url)).toBe(429);
    (ends[0] as { isUp: boolean }).isUp = true;
    expect(await statusOf(gateway.url)).toBe(101);
    nodes.endpoint.close();
  });

  it("refuses everybody once it is closed", async () => {
    await using gateway = await openGateway();
    gateway.endpoint.close();
    expect(await statusOf(gateway.url)).toBe(503);
  });
});

describe("places", () => {
  it("are forgotten with their connections", () => {
    const places = new LinkPlaces({ maxConnections: 3, maxUnprovenPerAddress: 1 });
    const a = { network: "10.0.0.1", isProven: false };
    const b = { network: "10.0.0.1", isProven: false };
    expect(places.refusalOf("10.0.0.1")).toBeUndefined();
    places.take(a);
    expect(places.refusalOf("10.0.0.1")?.status).toBe(429);
    expect(places.refusalOf("10.0.0.2")).toBeUndefined();
    a.isProven = true;
    expect(places.refusalOf("10.0.0.1")).toBeUndefined();
    places.take(b);
    places.take({ network: "10.0.0.2", isProven: true });
    expect(places.refusalOf("10.0.0.3")?.status).toBe(503);
    places.free(a);
    expect(places.refusalOf("10.0.0.1")?.status).toBe(429);
    places.free(b);
    expect([places.taken, places.refusalOf("10.0.0.1")]).toEqual([1, undefined]);
  });
});
