import { expect, test } from "vitest";
import { call } from "../../src/actor/gen-server/gen-server.ts";
import { startSystem } from "../../src/actor/system.ts";
import { parseFunConfig } from "../../src/config/fun-config.ts";
import { type FunctionTableRef, functionTableActor } from "../../src/config/function-table.actor.ts";
import { type ConfigEntry, FunctionTable } from "../../src/config/function-table.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const named = (requestType: string, version: string | null = null) => ({ service: "s", requestType, version });
const entry = (requestType: string, version: string | null = null): ConfigEntry => ({
  config: parseFunConfig({ ...named(requestType, version), nodes: ["a"], timeout: 1_000, mfa: `m.${requestType}` }),
});

test("every function that is no longer registered is told of, once, however it went", async () => {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const input = {
    gateway: "test",
    functionTable: new FunctionTable<ConfigEntry>(),
    deleted: ({ requestType, version }: { requestType: string; version: string | null }) =>
      void told.push(`${requestType} ${version}`),
  };
  const children = [{ id: "config_cache", logic: functionTableActor, input, name: "config_cache" }];
  const system = startSystem({ name: "test", clock, children });
  const cache = () => system.whereis<FunctionTableRef>("config_cache");
  try {
    const fromNode = { ...entry("pushed"), origin: "pushed" } satisfies ConfigEntry;
    await call(cache(), "batchAdd", [entry("a"), entry("a", "1.0.0"), entry("b"), entry("c")]);
    await call(cache(), "reconcile", { put: [fromNode], remove: [] });
    await call(cache(), "add", entry("a"));
    await call(cache(), "setDisabled", { ...named("a"), disabled: true });
    expect(told).toEqual([]);
    await call(cache(), "delete", named("a"));
    await call(cache(), "delete", named("a"));
    expect(told).toEqual(["a null"]);
    // What the host registered is not the nodes' to remove.
    await call(cache(), "reconcile", { put: [], remove: [named("pushed"), named("b")] });
    expect(told).toEqual(["a null", "pushed null"]);
    await call(cache(), "clear");
    expect(told.toSorted()).toEqual(["a 1.0.0", "a null", "b null", "c null", "pushed null"]);
  } finally {
    await system.shutdown();
  }
});
