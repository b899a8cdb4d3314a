import { afterEach, beforeEach, expect, test } from "vitest";
import holding from "../fixtures/holding.js";
import { listenTo } from "../socket/open-gateway.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectRaw, type RawClient } from "../support/network/raw-client.ts";

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let client: RawClient;

beforeEach(async () => {
  gateway = await startTestGateway({ functions: [holding], socket: { maxRequestBytesInFlight: 2_000_000 } });
  client = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
  await client.join("api:a");
});

afterEach(async () => {
  await gateway.stop();
});

const manyMaps = Array.from({ length: 300_000 }, () => ({}));

function request(id: string, requestType: string, args: object): void {
  client.send(["1", id, "api:a", "api", { service: "holding", request_type: requestType, request_id: id, args }]);
}

async function response(id: string): Promise<Record<string, unknown>> {
  const [, , , , payload] = await client.next(([, , , event, payload]) => {
    return event === "api" && (payload as { request_id: string }).request_id === id;
  });
  return payload as Record<string, unknown>;
}

test("requests that wait hold nothing of arguments that their function does not take", async () => {
  for (let n = 0; n < 8; n++) request(`w${n}`, "wait", { junk: manyMaps });
  request("end", "release", {});
  expect(await response("end")).toMatchObject({ success: true });
  for (let n = 0; n < 8; n++) expect(await response(`w${n}`)).toMatchObject({ success: true });
});

test("a connection whose waiting requests hold too much is refused more, and let in again when they have ended", async () => {
  using rejected = listenTo("executor.request.rejected");
  // One may be larger, alone.
  request("first", "keep", { value: manyMaps.slice(0, 30_000) });
  request("second", "keep", { value: manyMaps.slice(0, 30_000) });
  expect(await response("second")).toMatchObject({ error_code: "unavailable", can_retry: true });
  expect(rejected.messages.map(({ metadata }) => metadata.reason)).toEqual(["too_many_bytes"]);
  const neighbour = await connectRaw(`${urlOf(gateway)}/websocket?vsn=2.0.0`);
  await neighbour.join("api:a");
  neighbour.send([
    "1",
    "2",
    "api:a",
    "api",
    { service: "holding", request_type: "release", request_id: "n", args: {} },
  ]);
  await neighbour.reply("2");
  expect(await response("first")).toMatchObject({ success: true });
  request("third", "keep", { value: [] });
  request("fourth", "release", {});
  expect(await response("third")).toMatchObject({ success: true });
});

test.each(["request_id", "request_type", "service", "version", "user_id", "device_id"])(
  "a request whose %s has more than 1 024 bytes is told so in a short answer",
  async (name) => {
    // Three bytes a character.
    const tooLong = "€".repeat(342);
    const payload = { service: "holding", request_type: "release", request_id: "r", args: {}, [name]: tooLong };
    client.send(["1", "2", "api:a", "api", payload]);
    const id = name === "request_id" ? "unknown" : "r";
    const { error, error_code } = await response(id);
    expect([error_code, error]).toEqual([
      "invalid_request",
      `Invalid request: ${name} must have at most 1024 bytes, got 1026`,
    ]);
  },
);

test("a request that is too large is answered under its own id, and the connection goes on", async () => {
  request("large", "keep", { value: "x".repeat(1_000_000) });
  const { error, error_code } = await response("large");
  expect([error_code, error]).toEqual([
    "invalid_request",
    expect.stringMatching(
      /^Invalid request: Request payload exceeds maximum size of 1000000 bytes \(got 10000\d\d bytes\)$/,
    ),
  ]);
  request("small", "release", {});
  expect(await response("small")).toMatchObject({ success: true });
});
