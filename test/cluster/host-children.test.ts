import {
  call,
  fromGenServer,
  fromSupervisor,
  type GenServerRefFrom,
  type SupervisorRef,
  startChild,
  whereis,
} from "gen-api/otp";
import { describe, expect, test } from "vitest";
import { nextEvent, startGateway, startNode } from "../support/cluster.ts";

const counter = fromGenServer({
  init: () => ({ count: 0 }),
  handleCall: {
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
    crash: () => {
      throw new Error("the host's child is broken");
    },
  },
});
type Counter = GenServerRefFrom<typeof counter>;
const children = [
  { id: "counter", name: "counter", logic: counter },
  { id: "below", logic: fromSupervisor({ children: [{ id: "deep", name: "deep", logic: counter }] }) },
];
const count = { service: "shop", requestType: "count", args: { by: 1 } };
const options = {
  name: "shop@127.0.0.1",
  modules: { host: new URL("../fixtures/host-children.js", import.meta.url) },
  functions: [
    {
      service: "shop",
      requestType: "count",
      mfa: "host.count",
      runOn: "main",
      timeout: 5_000,
      argTypes: { by: "num" },
    },
  ],
} as const;

describe("the children of a service node", () => {
  test("are in its tree before the transport, are called by its functions, and end with it", async () => {
    const gateway = await startGateway();
    const pushed = nextEvent("config.push", ({ metadata }) => metadata.node === options.name);
    const node = await startNode([gateway], { ...options, children });
    await pushed;
    const tree = node.tree().children;
    expect(tree.map(({ id }) => id)).toEqual(["worker_pools", "gateway_sessions", "children", "node_transport"]);
    expect(tree[2]).toMatchObject({
      type: "supervisor",
      children: [
        { id: "counter", name: "counter", status: "running" },
        { id: "below", children: [{ id: "deep", name: "deep", status: "running" }] },
      ],
    });
    expect(await gateway.call(count)).toBe(1);
    expect(await call(node.whereis<Counter>("counter"), "add", 1)).toBe(2);
    expect(await call(whereis<Counter>("deep"), "add", 5)).toBe(5);
    expect(node.whereis("node_transport")).toBeUndefined();
    await startChild(node.whereis<SupervisorRef>("children"), { id: "late", name: "late", logic: counter });
    expect(await call(whereis<Counter>("late"), "add", 3)).toBe(3);
    await node.stop();
    expect(whereis("counter")).toBeUndefined();
  });

  test("say what happens to them in telemetry, as the node's", async () => {
    const gateway = await startGateway();
    const node = await startNode([gateway], { ...options, children });
    const exit = nextEvent("supervisor.child.exit", ({ metadata }) => metadata.child === "counter");
    await expect(call(node.whereis<Counter>("counter"), "crash")).rejects.toMatchObject({ code: "noproc" });
    expect((await exit).metadata).toMatchObject({
      program: "shop@127.0.0.1",
      supervisor: "children",
      reason: "error",
      error: new Error("the host's child is broken"),
    });
  });

  test("in a storm of crashes rest and come again, and neither the node nor its gateway ends", async () => {
    const gateway = await startGateway();
    const pushed = nextEvent("config.push", ({ metadata }) => metadata.node === options.name);
    const echo = {
      service: "shop",
      requestType: "echo",
      mfa: "main.echo",
      timeout: 5_000,
      runOn: "main",
      argTypes: { msg: "any" },
    } as const;
    const node = await startNode([gateway], {
      ...options,
      modules: { ...options.modules, main: new URL("../fixtures/main-functions.js", import.meta.url) },
      functions: [...options.functions, echo],
      children,
      intensity: { maxRestarts: 0, withinMs: 1_000 },
    });
    await pushed;
    let ended: unknown;
    void node.closed.then((closed) => {
      ended = closed;
    });
    const rested = nextEvent("supervisor.rest", ({ metadata }) => metadata.program === options.name);
    for (let crash = 1; crash <= 4; crash++) {
      await expect(call(node.whereis<Counter>("counter"), "crash")).rejects.toMatchObject({ code: "noproc" });
    }
    expect((await rested).metadata.error.message).toContain("gave up after more than 3 restarts within 5000 ms");
    const back = nextEvent("supervisor.child.start", ({ metadata }) => metadata.child === "deep");
    expect(node.whereis("deep")).toBeUndefined();
    const request = { service: "shop", requestType: "echo", args: { msg: "still here" } };
    expect(await gateway.call(request)).toBe("still here");
    expect(await gateway.request(count)).toMatchObject({ success: false, error_code: "failed", reason: "noproc" });
    // They rest for a second, or half as long again.
    await back;
    expect(await call(node.whereis<Counter>("deep"), "add", 1)).toBe(1);
    expect(await gateway.call(count)).toBe(1);
    expect(ended).toBeUndefined();
  });

  test("that do not start keep the node from starting, by name", async () => {
    const gateway = await startGateway();
    const broken = fromGenServer({
      init: (): number => {
        throw new Error("no connection to the database");
      },
    });
    const db = { id: "db", logic: broken };
    await expect(startNode([gateway], { ...options, children: [db] })).rejects.toMatchObject({
      code: "failed",
      message: 'The child "children" did not start: The child "db" did not start: no connection to the database',
      cause: { code: "failed", cause: { message: "no connection to the database" } },
    });
    const taken = { id: "a", name: "node_transport", logic: counter };
    await expect(startNode([gateway], { ...options, children: [taken] })).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining('children the child spec "a": name must be none of the program\'s own ('),
    });
  });
});
