import { type Gateway, type GatewayOptions, telemetry } from "gen-api";
import {
  call,
  fromGenServer,
  fromResource,
  fromSupervisor,
  type GenServerRefFrom,
  kill,
  type SupervisorRef,
  startChild,
  whereis,
} from "gen-api/otp";
import { afterEach, describe, expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const log: string[] = [];
const counter = fromGenServer({
  init: () => {
    log.push("counter starts");
    return { count: 0 };
  },
  handleCall: {
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
    crash: () => {
      throw new Error("the host's child is broken");
    },
  },
  terminate: (_state, reason) => {
    log.push(`counter ends: ${typeof reason === "string" ? reason : reason.error.message}`);
  },
});
type Counter = GenServerRefFrom<typeof counter>;
const children = [
  { id: "counter", name: "counter", logic: counter },
  { id: "below", logic: fromSupervisor({ children: [{ id: "deep", name: "deep", logic: counter }] }) },
];

let gateway: Gateway | undefined;
afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
  log.length = 0;
});

async function start(options: GatewayOptions) {
  gateway = await startTestGateway(options);
  return gateway;
}

const statusOf = (name: string) =>
  gateway
    ?.tree()
    .children.find(({ id }) => id === "children")
    ?.children.find(({ id }) => id === name);

describe("the host's children", () => {
  test("are in the gateway's tree, before the listener, are found by name, and end with it", async () => {
    const running = await start({ children });
    const ids = running.tree().children.map(({ id }) => id);
    expect(ids.slice(-2)).toEqual(["children", "listener"]);
    expect(statusOf("below")?.children[0]).toMatchObject({ id: "deep", name: "deep", status: "running" });
    expect(await call(running.whereis<Counter>("counter"), "add", 2)).toBe(2);
    expect(await call(whereis<Counter>("counter"), "add", 2)).toBe(4);
    expect(await call(whereis<Counter>("deep"), "add", 1)).toBe(1);
    // The gateway's own actors are nobody else's to find.
    for (const name of ["listener", "config_cache", "function_table", "connections", "streams"]) {
      expect(running.whereis(name)).toBeUndefined();
      expect(whereis(name)).toBeUndefined();
    }
    await startChild(running.whereis<SupervisorRef>("children"), { id: "late", name: "late", logic: counter });
    expect(await call(whereis<Counter>("late"), "add", 3)).toBe(3);
    await running.stop();
    expect(log.filter((line) => line === "counter ends: shutdown")).toHaveLength(3);
    expect(whereis("counter")).toBeUndefined();
  });

  test("that do not start keep the gateway from starting, by name, and leave nothing behind", async () => {
    const broken = fromGenServer({
      init: (): number => {
        throw new Error("no connection to the database");
      },
    });
    const started = startTestGateway({
      children: [
        { id: "counter", logic: counter },
        { id: "db", logic: broken },
      ],
    });
    await expect(started).rejects.toMatchObject({
      code: "failed",
      message: 'The child "children" did not start: The child "db" did not start: no connection to the database',
      cause: { code: "failed", cause: { message: "no connection to the database" } },
    });
    expect(log).toEqual(["counter starts", "counter ends: shutdown"]);
  });

  test("that are wrong are refused by name, before anything starts", async () => {
    const wrong = [{ id: "a", logic: counter, restart: "always" as never }];
    await expect(startTestGateway({ children: wrong })).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining('children the child spec "a": restart must be "permanent", "transient" or'),
    });
    await expect(startTestGateway({ children: {} as never })).rejects.toMatchObject({ code: "invalid_option" });
  });

  test.each([
    ["the gateway's own actors", "listener"],
    ["a part that this gateway does not have", "config_sync"],
    ["the supervisor of all of them", "children"],
  ])("cannot have the name of %s, and are told all that are taken", async (_whose, name) => {
    const deep = fromSupervisor({ children: [{ id: "deep", name, logic: counter }] });
    for (const child of [
      { id: "a", name, logic: counter },
      { id: "a", logic: deep },
    ]) {
      const id = child.logic === deep ? "deep" : "a";
      const message = `children the child spec "${id}": name must be none of the program's own (admin, async_pool, children, `;
      const refused = startTestGateway({ children: [child] });
      await expect(refused).rejects.toMatchObject({
        code: "invalid_option",
        message: expect.stringContaining(message),
      });
      await expect(refused).rejects.toThrow(`worker_pools), got "${name}"`);
    }
    expect(log).toEqual([]);
  });

  test("cannot have each other's name, wherever they are", async () => {
    const deep = fromSupervisor({ children: [{ id: "deep", name: "shared", logic: counter }] });
    const both = [
      { id: "a", name: "shared", logic: counter },
      { id: "b", logic: deep },
    ];
    await expect(startTestGateway({ children: both })).rejects.toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining('children names must be unique, got "shared" for two children, "a" and "deep"'),
    });
    expect(log).toEqual([]);
  });

  test("cannot be added under a name that a living actor has", async () => {
    const running = await start({ children });
    const supervisor = running.whereis<SupervisorRef>("children");
    for (const name of ["listener", "deep"]) {
      await expect(startChild(supervisor, { id: "late", name, logic: counter })).rejects.toMatchObject({
        code: "already_started",
        message: `The name "${name}" of child "late" is taken by a living actor`,
      });
    }
  });

  test("in a storm of crashes rest and come again, and the gateway serves all the time", async () => {
    const clock = new SimulatedClock();
    const rests: unknown[] = [];
    const detach = telemetry.attach("supervisor.rest", ({ metadata }) => rests.push(metadata.error.message));
    const running = await start({ children, clock, intensity: { maxRestarts: 0, withinMs: 1_000 } });
    const request = { service: "test", requestType: "add", args: { a: 1, b: 2 } };
    const before = await running.request(request);
    expect(before.success).toBe(true);
    for (let round = 1; round <= 20; round++) {
      // Three restarts are made at once; the fourth crash is one too many.
      for (let crash = 1; crash <= 4; crash++) {
        expect(statusOf("counter")?.status).toBe("running");
        const crashed = call(whereis<Counter>("counter"), "crash");
        await expect(crashed).rejects.toMatchObject({ code: "noproc" });
      }
      expect(rests).toHaveLength(round);
      expect(statusOf("counter")?.status).toBe("restarting");
      expect(statusOf("below")?.status).toBe("restarting");
      const health = running.diagnostics.health();
      expect(health).toMatchObject({ status: "degraded", isReady: true });
      expect(health.reasons).toContainEqual(expect.objectContaining({ code: "actor_restarting", subject: "counter" }));
      await expect(call(whereis<Counter>("counter"), "add", 1)).rejects.toMatchObject({ code: "noproc" });
      expect((await running.request(request)).result).toEqual(before.result);
      await clock.advanceAsync(90_000);
      expect(await call(whereis<Counter>("counter"), "add", 1)).toBe(1);
      expect(await call(whereis<Counter>("deep"), "add", 1)).toBe(1);
    }
    expect(rests[0]).toContain("gave up after more than 3 restarts within 5000 ms");
    detach();
  });

  test("that keep crashing at their start rest longer and longer", async () => {
    const clock = new SimulatedClock();
    const rests: number[] = [];
    const detach = telemetry.attach("supervisor.rest", ({ measurements }) => rests.push(measurements.rest_ms));
    let isBroken = false;
    const moody = fromResource(() => {
      if (isBroken) throw new Error("not today");
      return () => undefined;
    });
    await start({ children: [{ id: "moody", name: "moody", logic: moody }], clock });
    isBroken = true;
    kill(whereis("moody"));
    await clock.advanceAsync(600_000);
    for (const [at, ms] of rests.slice(0, 6).entries()) {
      expect(ms).toBeGreaterThanOrEqual(500 * 2 ** at);
      expect(ms).toBeLessThanOrEqual(1_500 * 2 ** at);
    }
    expect(rests.length).toBeLessThan(30);
    isBroken = false;
    await clock.advanceAsync(90_000);
    expect(whereis("moody")).toBeDefined();
    detach();
  });
});
