import { defineService, type Gateway } from "gen-api";
import { expect, test } from "vitest";
import { startGateway } from "../support/cluster.ts";

const handler = () => 1;
const service = defineService("shop", new URL("../fixtures/main-functions.js", import.meta.url), {
  open: {
    description: "For everybody",
    args: { item: { type: "string", maxBytes: 10 }, count: { type: "num", defaultValue: 1 } },
    resultSchema: { type: "number" },
    hints: { readOnly: true },
    handler,
  },
  member: { checkPermission: "any_authenticated", timeout: "infinity", handler },
  own: { args: { user_id: "string" }, checkPermission: { arg: "user_id" }, handler },
  admin: { checkPermission: { role: ["admin"] }, deprecated: "use member", handler },
  tenant: { args: { tenant: "string" }, checkPermission: { claim: "tenant", arg: "tenant" }, handler },
  gold: { checkPermission: { claim: "level", in: ["gold"] }, handler },
  off: { disabled: true, handler },
});

/** Its functions run nowhere: they are described, not called. */
const functions = service.functions.map((config) => ({ ...config, nodes: ["node@127.0.0.1"] }));
const old = { ...functions[0]!, version: "1.0.0" };
const newer = { ...functions[0]!, version: "2.0.0", description: "Newer" };

const namesIn = (gateway: Gateway, identity?: Parameters<Gateway["describe"]>[0]) =>
  gateway.describe(identity).services.flatMap((each) => each.functions.map(({ requestType }) => requestType));

test("a gateway describes its functions, by name and the latest version first", async () => {
  const gateway = await startGateway({
    functions: [...functions.slice(1), old, newer],
    rateLimiter: {
      globalLimits: [{ key: "userId", maxRequests: 10, windowMs: 1_000 }],
      apiLimits: [{ service: "shop", requestType: "open", key: "item", maxRequests: 1, windowMs: 60_000 }],
    },
  });
  const description = gateway.describe();
  expect(JSON.parse(JSON.stringify(description))).toEqual(description);
  expect(description).toMatchObject({
    gateway: gateway.name,
    socketPath: "/socket",
    channels: [{ topic: "api:*", event: "api" }],
    services: [{ service: "shop" }],
  });
  expect(namesIn(gateway)).toEqual(["admin", "gold", "member", "off", "open", "open", "own", "tenant"]);
  const [, , member, off, latest, earlier] = description.services[0]?.functions ?? [];
  expect(latest).toEqual({
    requestType: "open",
    version: "2.0.0",
    isLatest: true,
    disabled: false,
    responseType: "sync",
    description: "Newer",
    deprecated: false,
    hints: { readOnly: true },
    arguments: [
      { name: "item", type: "string", isRequired: true, allowNil: false, maxBytes: 10 },
      { name: "count", type: "num", isRequired: false, allowNil: false, defaultValue: 1 },
    ],
    argsSchema: {
      type: "object",
      properties: { item: { type: "string", maxLength: 10 }, count: { type: "number", default: 1 } },
      required: ["item"],
      additionalProperties: false,
    },
    resultSchema: { type: "number" },
    chunkSchema: null,
    permission: false,
    limits: {
      timeoutMs: 5_000,
      rateLimits: [
        { scope: "global", key: "userId", maxRequests: 10, windowMs: 1_000 },
        { scope: "function", key: "item", maxRequests: 1, windowMs: 60_000 },
      ],
    },
  });
  expect(earlier).toMatchObject({ version: "1.0.0", isLatest: false, description: "For everybody" });
  expect(off).toMatchObject({ disabled: true, isLatest: false });
  expect(member?.limits.timeoutMs).toBeNull();
});

test("to an identity it describes what that one may call, and nothing else", async () => {
  const asked = { ...functions[1]!, requestType: "asked", permissionCallback: "shop.may" };
  const gateway = await startGateway({ functions: [...functions, asked] });
  expect(namesIn(gateway, {})).toEqual(["asked", "open"]);
  expect(namesIn(gateway, { userId: "" })).toEqual(["asked", "open"]);
  expect(namesIn(gateway, { userId: "1" })).toEqual(["asked", "member", "open", "own"]);
  expect(namesIn(gateway, { userRoles: ["admin"] })).toEqual(["admin", "asked", "open"]);
  expect(namesIn(gateway, { claims: { tenant: "a", level: "gold" } })).toEqual(["asked", "gold", "open", "tenant"]);
  expect(namesIn(gateway, { claims: { tenant: "", level: "silver" } })).toEqual(["asked", "open"]);
  await gateway.configCache.disable("shop", "asked");
  await gateway.configCache.disable("shop", "open");
  expect(gateway.describe({}).services).toEqual([]);
});

test.each([
  [null, "identity must be a map or left out, got null"],
  [{ userId: 1 }, "userId must be a string or null, got 1"],
  [{ userRoles: "admin" }, 'userRoles must be a list of at most 1000 strings, got "admin"'],
  [{ claims: [] }, "claims must be a map of claims, got list"],
])("an identity cannot be %j", async (identity, fault) => {
  const gateway = await startGateway();
  expect(() => gateway.describe(identity as never)).toThrow(`describe: ${fault}`);
});
