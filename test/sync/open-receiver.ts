import { call, cast } from "../../src/actor/gen-server/gen-server.ts";
import { startSystem } from "../../src/actor/system.ts";
import { type FunConfigInput, type Mfa, parseFunConfig } from "../../src/config/fun-config.ts";
import { type FunctionTableRef, functionTableActor } from "../../src/config/function-table.actor.ts";
import { type ConfigEntry, FunctionTable } from "../../src/config/function-table.ts";
import type { Clock } from "../../src/core/time/clock.ts";
import type { ConfigReceiverInput, ConfigReceiverRef } from "../../src/sync/config-receiver.actor.ts";
import { configSync } from "../../src/sync/config-sync.ts";
import { ClusterReach } from "../../src/sync/presence/cluster-reach.ts";
import { ExpectedServices } from "../../src/sync/presence/expected-services.ts";
import { ConfigPusher, type PushedService } from "../../src/sync/push/config-pusher.ts";
import { FailedConfigs } from "../../src/sync/push/failed-configs.ts";
import { pushDefaults } from "../../src/sync/push/push.ts";
import type { ServiceConfig } from "../../src/sync/service-config.ts";
import { FunctionSets } from "../../src/sync/sets/function-sets.ts";
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
  const functionTable = new FunctionTable<ConfigEntry>();
  const sets = new FunctionSets();
  const live = new Set(options.live);
  /** "service node": what a live node came without. */
  const notServed = new Set<string>();
  const failedConfigs = new FailedConfigs();
  /** Nodes that left in good order. */
  const left = new Set<string>();
  const nodeGraceMs = 30_000;
  const expected = new ExpectedServices(["users", "orders"], clock, nodeGraceMs);
  const reach = new ClusterReach({
    gateway: "gateway",
    clock,
    transport: "test",
    changed: (isCutOff) => cast(receiver(), "reachChanged", isCutOff),
  });
  /** Whether the server would answer, should it be asked. */
  const medium = { answers: true };
  const input: ConfigReceiverInput = {
    gateway: "gateway",
    functionTable,
    sets,
    failedConfigs,
    expected,
    pushableModules: new Set(["pushable"]),
    isLive: (node, service) => live.has(node) && !notServed.has(`${service} ${node}`),
    compile: async (config) => ({ config: parseFunConfig(config) }),
    withNodes: (entry, nodes) => ({ ...entry, config: { ...entry.config, nodes: [...nodes] } }),
    hasGivenUp: (node, service) => left.has(node) || (live.has(node) && notServed.has(`${service} ${node}`)),
    reach,
    canReachNodes: async () => medium.answers,
    sharedPushes: () => undefined,
    serviceConfigs: [],
    pullIntervalMs: 30_000,
    pullTimeoutMs: 5_000,
    nodeGraceMs,
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
      {
        id: names.configCache,
        name: names.configCache,
        logic: functionTableActor,
        input: { gateway: "gateway", functionTable },
      },
      configSync(names.configSync, input),
    ],
  });
  const receiver = () => system.whereis<ConfigReceiverRef>(names.configReceiver);
  reach.reached(false);
  const cache = () => system.whereis<FunctionTableRef>(names.configCache);

  /** A session of a node: how it asks. */
  const session = (node: string, services: readonly string[] = ["users"]) => {
    live.add(node);
    left.delete(node);
    return (name: string, body: unknown) =>
      call(receiver(), "ask", { node, services, name, body }, { timeoutMs: "infinity" });
  };
  const push = (node: string, functions: readonly FunConfigInput[], rest: Partial<PushedService> & Force = {}) => {
    const { force = false, service = "users", ...pushed } = rest;
    return new ConfigPusher({ service, functions, ...pushed }).push(session(node, [service]), { force });
  };

  return {
    simulated,
    functionTable,
    sets,
    live,
    notServed,
    failedConfigs,
    expected,
    reach,
    medium,
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
      left.delete(node);
      cast(receiver(), "nodeUp", node);
      await idle();
    },
    async lose(node: string) {
      live.delete(node);
      cast(receiver(), "nodeLost", node);
      await idle();
    },
    /** The node leaves in good order. */
    async leave(node: string) {
      left.add(node);
      await this.lose(node);
    },
    /** The node leaves, and does not come back in time. */
    async forget(node: string) {
      await this.leave(node);
      await this.wait(input.nodeGraceMs);
    },
    /** So much time passes. */
    async wait(ms: number) {
      await simulated.advanceAsync(ms);
      await idle();
    },
    /** What is registered: "service type version" and on which nodes. */
    table: () =>
      Object.fromEntries(
        Array.from(functionTable.entries(), ({ config }) => [
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
