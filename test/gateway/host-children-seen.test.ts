import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { InspectedEvent } from "gen-api";
import { metrics } from "gen-api/metrics";
import { call, fromDynamicSupervisor, fromGenServer, type GenServerRefFrom, kill, whereis } from "gen-api/otp";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { adminOf, adminToken, askAdmin } from "../support/admin.ts";
import { keep, nextEvent } from "../support/cluster.ts";
import { startTestGateway, urlOf } from "../support/gateway.ts";
import { connectClient } from "../support/phoenix-client.ts";

const counter = fromGenServer({
  init: () => ({ count: 0, secret: "hunter2" }),
  handleCall: {
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
    crash: () => {
      throw new Error("a detail that no client sees");
    },
  },
  formatStatus: ({ count }) => ({ count }),
});
type Counter = GenServerRefFrom<typeof counter>;

const children = [
  { id: "counter", name: "counter", logic: counter },
  { id: "hits", name: "hits", logic: counter },
  { id: "pool", logic: fromDynamicSupervisor() },
];
const main = { service: "shop", runOn: "main", nodes: "local", timeout: 5_000 } as const;
const shop = {
  modules: { host: new URL("../fixtures/host-children.js", import.meta.url) },
  functions: [
    { ...main, requestType: "count", mfa: "host.count", argTypes: { by: "num" } },
    { ...main, requestType: "crash", mfa: "host.crash" },
    { ...main, requestType: "nobody", mfa: "host.nobody" },
    {
      ...main,
      requestType: "hooked",
      mfa: "host.count",
      argTypes: { by: "num" },
      beforeExecute: "host.atMostThree",
      afterExecute: "host.withTotal",
    },
  ],
} as const;

describe("the host's children are called", () => {
  test("by functions on the main thread, for clients and for the host itself", async () => {
    const gateway = keep(await startTestGateway({ children, ...shop }));
    const client = keep(await connectClient(urlOf(gateway), { service: "shop" }));
    const { response } = await client.request("count", { by: 2 });
    expect(response).toMatchObject({ success: true, result: 2 });
    expect(await gateway.call({ service: "shop", requestType: "count", args: { by: 3 } })).toBe(5);
    expect(await call(gateway.whereis<Counter>("counter"), "add", 1)).toBe(6);
  });

  test("by hooks, before and after a function", async () => {
    const gateway = keep(await startTestGateway({ children, ...shop }));
    const hooked = () => gateway.request({ service: "shop", requestType: "hooked", args: { by: 1 } });
    for (const hits of [1, 2, 3]) expect(await hooked()).toMatchObject({ result: { was: hits, hits } });
    expect(await hooked()).toMatchObject({ success: false, error_code: "hook_rejected" });
  });

  test("by the hook that says who connects", async () => {
    const connect = async () => ({ userId: `user ${await call(whereis<Counter>("counter"), "add", 1)}` });
    const gateway = keep(await startTestGateway({ children, socket: { connect } }));
    for (const user of ["user 1", "user 2"]) {
      const client = keep(await connectClient(urlOf(gateway)));
      expect((await client.request("only_users")).response.result).toBe(user);
    }
  });

  test("and where they crash, or are not there, that call fails and says nothing of why to a client", async () => {
    const gateway = keep(await startTestGateway({ children, ...shop }));
    const client = keep(await connectClient(urlOf(gateway), { service: "shop" }));
    for (const requestType of ["crash", "nobody"]) {
      const { response } = await client.request(requestType);
      expect(response).toMatchObject({ success: false, error_code: "failed", reason: "noproc" });
      expect(JSON.stringify(response)).not.toContain("detail");
    }
    expect((await client.request("count", { by: 1 })).response.result).toBe(1);
  });
});

describe("the host's children are seen", () => {
  test("in the command-line tool's tree, with their restarts", async () => {
    const gateway = keep(await startTestGateway({ children, admin: { listen: "127.0.0.1:0", token: adminToken } }));
    const restarted = nextEvent("supervisor.child.start", ({ metadata }) => metadata.child === "counter");
    kill(whereis("counter"));
    await restarted;
    const { port } = adminOf(gateway) as { port: number };
    const cli = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    const env = { PATH: process.env.PATH, GEN_API_ADMIN: `127.0.0.1:${port}`, GEN_API_ADMIN_TOKEN: adminToken };
    const { stdout } = await promisify(execFile)(process.execPath, [cli, "tree"], { env, timeout: 100_000 });
    expect(stdout).toContain(`├── children         running
│   ├── counter      running         1
│   ├── hits         running
│   └── pool         running
└── listener         running
`);
  });

  test("in the metrics, by the name of their supervisor", async () => {
    const registry = new Registry();
    const admin = { listen: "127.0.0.1:0", token: adminToken };
    const gateway = keep(await startTestGateway({ children, admin, metrics: metrics({ registry }) }));
    const restarted = nextEvent("supervisor.child.start", ({ metadata }) => metadata.child === "counter");
    kill(whereis("counter"));
    await restarted;
    const { text } = await askAdmin(gateway, "/metrics");
    expect(text).toContain('gen_api_supervisor_restarts_total{supervisor="children"} 1');
  });

  test("in the inspector, with what they show of themselves and no more", async () => {
    const lines: string[] = [];
    const inspect = (event: InspectedEvent) => {
      if (event.actorRef.path.includes("/children")) lines.push(JSON.stringify(event));
    };
    const gateway = keep(await startTestGateway({ children, inspect }));
    await call(gateway.whereis<Counter>("counter"), "add", 41);
    expect(lines.join("\n")).toContain('"count":41');
    for (const path of ["children/counter", "children/hits", "children/pool"]) {
      expect(lines.some((line) => line.includes(path))).toBe(true);
    }
    expect(lines.join("\n")).not.toContain("hunter2");
  });

  test("in telemetry, with the program's name and their supervisor's", async () => {
    keep(await startTestGateway({ name: "seen", children }));
    const exit = nextEvent("supervisor.child.exit", ({ metadata }) => metadata.child === "hits");
    const restart = nextEvent("supervisor.child.restart", ({ metadata }) => metadata.child === "hits");
    const error = new Error("broken by a test");
    kill(whereis("hits"), error);
    const who = { program: "seen", supervisor: "children", child: "hits" };
    expect((await exit).metadata).toEqual({ ...who, reason: "error", error });
    expect(await restart).toMatchObject({ measurements: { restarts_in_period: 1 }, metadata: who });
  });
});
