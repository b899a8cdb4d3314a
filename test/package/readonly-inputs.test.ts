import type { FunConfigInput, Gateway, GatewayOptions, HostRequest, RateLimit, ServiceNodeOptions } from "gen-api";
import { defineService } from "gen-api";
import { link } from "gen-api/link";
import { metrics } from "gen-api/metrics";
import { nats } from "gen-api/nats";
import { expectTypeOf, test } from "vitest";

// Held by the type check: objects `as const` are what every input takes. Little of it is run.

const mfa = { module: "m", function: "f", args: [1, { deep: ["x"] }] } as const;
const config = {
  service: "s",
  requestType: "t",
  version: "1.0.0",
  nodes: ["a@1", "b@1"],
  chooseNodeMode: { hash: "key" },
  timeout: 1_000,
  mfa,
  argTypes: { key: { type: "map", required: ["a"], accept: ["a", "b"] }, list: "list_string" },
  argOrders: ["key", "list"],
  checkPermission: { role: ["admin", "support"] },
  permissionCallback: mfa,
  beforeExecute: mfa,
  afterExecute: mfa,
  retry: { sameNode: 1 },
} as const;
const limit = { key: "userId", maxRequests: 1, windowMs: 1_000 } as const;
const serviceConfig = {
  service: "s",
  nodes: ["a@1"],
  module: "m",
  function: "f",
  args: [1],
  versionFunction: "v",
  versionArgs: [2],
} as const;

test("FunConfigs, options and requests may be constants with read-only lists in them", () => {
  const gateway = {
    name: "g@1",
    listen: { port: 0 },
    socket: { allowedOrigins: ["https://a.example"], trustProxy: ["10.0.0.0/8"] },
    channels: [{ topic: "api:*", event: "api" }],
    modules: { m: "file:///m.js" },
    functions: [config],
    mfaAllowlist: ["m.f"],
    rateLimiter: { globalLimits: [limit], apiLimits: [{ service: "s", requestType: "t", limits: [limit] }] },
    workerPool: { threads: 1 },
    expectServices: ["s"],
    serviceConfigs: [serviceConfig, { ...serviceConfig, nodes: mfa }],
    pushToken: ["one", "two"],
    pushableModules: ["m"],
    adminActions: ["call", "push_config"],
  } as const;
  const node = {
    name: "n@1",
    functions: [config],
    modules: { m: "file:///m.js" },
    pull: { module: "m", function: "f", args: [1], versionArgs: [2] },
  } as const;
  const request = {
    service: "s",
    requestType: "t",
    args: { list: [1, [2]] },
    userRoles: ["admin"],
  } as const;
  expectTypeOf(config).toExtend<FunConfigInput>();
  expectTypeOf(gateway).toExtend<Omit<GatewayOptions, "rateLimiter">>();
  expectTypeOf(gateway.rateLimiter.globalLimits).toExtend<readonly RateLimit[]>();
  expectTypeOf(node).toExtend<Omit<ServiceNodeOptions, "cluster">>();
  expectTypeOf(request).toExtend<HostRequest>();
  expectTypeOf<readonly (typeof config)[]>().toExtend<Parameters<Gateway["configCache"]["batchAdd"]>[0]>();
  expectTypeOf<{ node: "n"; service: "s"; functions: readonly (typeof config)[]; pull: typeof node.pull }>().toExtend<
    Parameters<Gateway["pushConfig"]>[0]
  >();
  expectTypeOf<readonly [typeof limit]>().toExtend<Parameters<Gateway["rateLimiter"]["setGlobalLimits"]>[0]>();
});

test("what functions take as their definitions and options may be constants too", () => {
  const shared = { checkPermission: { role: ["admin"] }, nodes: ["a@1"], permissionCallback: mfa } as const;
  const args = { key: { type: "map", required: ["a"] } } as const;
  defineService("s", { f: { ...shared, args, handler: ({ key }) => key } });
  const servers = { gateways: ["ws://127.0.0.1:1/node"] } as const;
  link(servers);
  metrics({ buckets: [0.1, 1] } as const);
  nats({ servers: ["nats://127.0.0.1:4222"], signingKey: ["a key that is long enough to sign"] } as const);
});
