import { call, cast } from "../../src/actor/gen-server.ts";
import { startSystem } from "../../src/actor/system.ts";
import { type ConfigCacheRef, configCache } from "../../src/config/config-cache.actor.ts";
import { ConfigPusher, type PushedService } from "../../src/config/config-pusher.ts";
import type { ConfigReceiverInput, ConfigReceiverRef } from "../../src/config/config-receiver.actor.ts";
import { type ConfigEntry, ConfigStore } from "../../src/config/config-store.ts";
import { configSync } from "../../src/config/config-sync.ts";
import { ExpectedServices } from "../../src/config/expected-services.ts";
import { FailedConfigs } from "../../src/config/failed-configs.ts";
import { type FunConfigInput, type Mfa, parseFunConfig } from "../../src/config/fun-config.ts";
import { FunctionSets } from "../../src/config/function-sets.ts";
import { pushDefaults } from "../../src/config/push.ts";
import type { ServiceConfig } from "../../src/config/service-config.ts";
import type { Clock } from "../../src/core/clock.ts";
import { SimulatedClock, settled } from "../support/simulated-clock.ts";

const names = {
  configReceiver: "config_receiver",
  configCache: "config_cache",
  configPuller: "config_puller",
  configSync: "config_sync",
};

export interface ReceiverOptions extends Partial<Omit<ConfigReceiverInput, "limits" | "names">> {
  readonly clock?: Clock;
  readonly limits?: Partial<ConfigReceiverInput["limits"]>;
  /** Nodes that are live from the start; others are from their first session. */
  readonly live?: Iterable<string>;
}

/** The gateway's part that takes the functions of nodes, with real actors; what is around it is the test's. */
export function openReceiver(options: ReceiverOptions = {}) {
  const simulated = new SimulatedClock();
  const clock = options.clock ?? simulated;
  const store = new ConfigStore<ConfigEntry>();
  const sets = new FunctionSets();
  const live = new Set(options.live);
  /** "service node": what a live node came without. */
  const notServed = new Set<string>();
  const failedConfigs = new FailedConfigs();
  const expected = new ExpectedServices(["users", "orders"]);
  const input: ConfigReceiverInput = {
    gateway: "gateway",
    store,
    sets,
    failedConfigs,
    expected,
    pushableModules: new Set(["pushable"]),
    isLive: (node, service) => live.has(node) && !notServed.has(`${service} ${node}`),
    compile: async (config) => ({ config: parseFunConfig(config) }),
    withNodes: (entry, nodes) => ({ ...entry, config: { ...entry.config, nodes: [...nodes] } }),
    sharedPushes: () => undefined,
    serviceConfigs: [],
    pullIntervalMs: 30_000,
    pullTimeoutMs: 5_000,
    nodeGraceMs: 30_000,
    resolveNodes: (nodes) => nodes as readonly string[],
    callNode: () => Promise.reject(new Error("no node is called in this test")),
    random: () => 0.5,
    ...options,
    limits: { ...pushDefaults, ...options.limits },
    names,
  };
  const system = startSystem({
    name: "test",
    clock,
    intensity: { maxRestarts: 20, withinMs: 5_000 },
    children: [
      { id: names.configCache, name: names.configCache, logic: configCache, input: { gateway: "gateway", store } },
      configSync(names.configSync, input),
    ],
  });
  const receiver = () => system.whereis<ConfigReceiverRef>(names.configReceiver);
  const cache = () => system.whereis<ConfigCacheRef>(names.configCache);

  /** A session of a node: how it asks. */
  const session = (node: string, services: readonly string[] = ["users"]) => {
    live.add(node);
    return (name: string, body: unknown) =>
      call(receiver(), "ask", { node, services, name, body }, { timeoutMs: "infinity" });
  };
  const push = (node: string, functions: readonly FunConfigInput[], rest: Partial<PushedService> & Force = {}) => {
    const { force = false, service = "users", ...pushed } = rest;
    return new ConfigPusher({ service, functions, ...pushed }).push(session(node, [service]), { force });
  };

  return {
    simulated,
    store,
    sets,
    live,
    notServed,
    failedConfigs,
    expected,
    system,
    receiver,
    cache,
    session,
    push,
    host: (config: FunConfigInput) => call(cache(), "add", { config: parseFunConfig(config) }),
    /** The host deletes a function of the users. */
    hostTakes: (requestType: string) => call(cache(), "delete", { service: "users", requestType, version: null }),
    /** The node comes, with what `notServed` leaves it. */
    async up(node: string) {
      live.add(node);
      cast(receiver(), "nodeUp", node);
      await idle();
    },
    async lose(node: string) {
      live.delete(node);
      cast(receiver(), "nodeLost", node);
      await idle();
    },
    /** The node goes, and does not come back in time. */
    async forget(node: string) {
      await this.lose(node);
      await simulated.advanceAsync(input.nodeGraceMs);
      await idle();
    },
    /** What is registered: "service type version" and on which nodes. */
    table: () =>
      Object.fromEntries(
        Array.from(store.entries(), ({ config }) => [
          `${config.service} ${config.requestType} ${config.version ?? "-"}`,
          config.nodes as readonly string[] | Mfa,
        ]),
      ),
    async [Symbol.asyncDispose]() {
      await system.shutdown();
    },
  };
}

interface Force {
  readonly force?: boolean;
}

/** A function of the service "users", as a node writes it. */
export function fun(requestType: string, fields: Partial<FunConfigInput> = {}): FunConfigInput {
  return { service: "users", requestType, nodes: "local", timeout: 1_000, mfa: `users.${requestType}`, ...fields };
}

export function serviceConfig(fields: Partial<ServiceConfig> = {}): ServiceConfig {
  return { service: "users", nodes: ["a", "b"], ...fields };
}

/** Waits until nothing that needs only turns of the event loop is left to do. */
export async function idle(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await settled();
}
