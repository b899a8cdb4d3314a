import type { RestartedActor } from "../actor/supervisor/tree-node.ts";
import { counted } from "../call/stages/words.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { ServiceView } from "./cluster-view.ts";

/** The kinds of problem a gateway can have. */
export type HealthCode =
  | "stopped"
  | "draining"
  | "not_listening"
  | "pool_down"
  | "cut_off"
  | "functions_not_read"
  | "functions_outdated"
  | "service_missing"
  | "service_without_nodes"
  | "pool_without_threads"
  | "queue_filling"
  | "circuit_open"
  | "actor_restarting"
  | "actor_restarted";

/** One problem of a gateway. */
export interface HealthReason {
  /** The problem, for programs. */
  readonly code: HealthCode;
  /** The service, pool or actor concerned; null: the gateway. */
  readonly subject: string | null;
  /** The problem, for people. */
  readonly message: string;
}

/** The health of a gateway. */
export interface Health {
  /** "down": it answers no request, or none of those that run on its threads. */
  readonly status: "ok" | "degraded" | "down";
  /** Whether clients should be sent to this gateway. */
  readonly isReady: boolean;
  /** Every problem, the worst first. */
  readonly reasons: readonly HealthReason[];
}

/** The facts that decide a gateway's health. */
export interface HealthFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether the actor tree is running. */
  readonly isRunning: boolean;
  readonly isDraining: boolean;
  /** Null if it is configured not to listen. */
  readonly isListening: boolean | null;
  readonly pools: readonly WorkerPoolStatus[];
  /** Why the gateway cannot reach its nodes and the other gateways; null if it can. */
  readonly cutOffBecause: string | null;
  /** Whether it has read the shared functions at least once since its start. */
  readonly hasReadFunctions: boolean;
  /** Why it cannot read the shared functions now, though it is not cut off; null if it has them. */
  readonly unreadBecause: string | null;
  readonly missingServices: readonly string[];
  readonly services: readonly Pick<ServiceView, "service" | "hasLiveNodes">[];
  readonly restarted: readonly RestartedActor[];
}

const isDown: ReadonlySet<HealthCode> = new Set(["stopped", "draining", "not_listening", "pool_down"]);
const isUnready: ReadonlySet<HealthCode> = new Set([...isDown, "functions_not_read", "service_missing"]);

// Listed beside the reasons against readiness, since they often are, or soon will be, the cause behind them.
const isBehind: ReadonlySet<HealthCode> = new Set(["cut_off", "functions_outdated"]);

// A restart is reported for this long; a queue once it has lasted this long.
const restartMs = 60_000;
const fillingAt = 0.8;

/** Decides a gateway's health. */
export function healthOf(facts: HealthFacts): Health {
  const reasons = [...gatewayReasons(facts), ...facts.pools.flatMap(poolReasons)];
  reasons.push(...clusterReasons(facts));
  for (const service of facts.missingServices) {
    reasons.push(
      reason("service_missing", service, `no node of the expected service ${service} has come, or all are gone`),
    );
  }
  for (const { service, hasLiveNodes } of facts.services) {
    if (hasLiveNodes !== false || facts.missingServices.includes(service)) continue;
    reasons.push(reason("service_without_nodes", service, `none of the nodes of ${service} is connected`));
  }
  reasons.push(...facts.restarted.flatMap((actor) => actorReasons(actor, facts.now)));
  reasons.sort((one, other) => Number(isDown.has(other.code)) - Number(isDown.has(one.code)));
  const status = reasons.some(({ code }) => isDown.has(code)) ? "down" : reasons.length > 0 ? "degraded" : "ok";
  return { status, isReady: !reasons.some(({ code }) => isUnready.has(code)), reasons };
}

/** The reasons why the gateway should get no clients, and the possible causes behind them. */
export function unreadyReasons({ reasons }: Health): readonly HealthReason[] {
  return reasons.filter(({ code }) => isUnready.has(code) || isBehind.has(code));
}

function clusterReasons({ isRunning, cutOffBecause, hasReadFunctions, unreadBecause }: HealthFacts): HealthReason[] {
  if (!isRunning) return [];
  const reasons: HealthReason[] = [];
  if (cutOffBecause !== null) {
    reasons.push(
      reason("cut_off", null, `the gateway cannot reach its nodes and the other gateways: ${cutOffBecause}`),
    );
  }
  if (!hasReadFunctions) {
    reasons.push(reason("functions_not_read", null, "the gateway has not read yet which functions the others know"));
  } else if (unreadBecause !== null) {
    const message = `the gateway cannot read what gateways share, and may lack newer functions: ${unreadBecause}`;
    reasons.push(reason("functions_outdated", null, message));
  }
  return reasons;
}

function gatewayReasons({ isRunning, isDraining, isListening }: HealthFacts): HealthReason[] {
  if (!isRunning) return [reason("stopped", null, "the gateway has stopped")];
  if (isDraining) return [reason("draining", null, "the gateway is stopping")];
  return isListening === false ? [reason("not_listening", null, "the gateway does not listen for clients")] : [];
}

function poolReasons(pool: WorkerPoolStatus): HealthReason[] {
  const { name, state, threads, readyThreads, queued, maxQueueSize, openCircuits } = pool;
  if (state !== "running") return [reason("pool_down", name, `${name} is ${state}`)];
  const reasons: HealthReason[] = [];
  if (readyThreads < threads) {
    const message = `${readyThreads} of ${counted(threads, "thread")} of ${name} run`;
    // Threads start with the first calls, and a lost one is replaced.
    if (readyThreads === 0 && queued > 0) reasons.push(reason("pool_without_threads", name, message));
  }
  if (queued > maxQueueSize * fillingAt) {
    reasons.push(
      reason("queue_filling", name, `${queued} of ${maxQueueSize} places in the queue of ${name} are taken`),
    );
  }
  if (openCircuits.length > 0) {
    const functions = openCircuits.map(({ moduleName, function: name }) => `${moduleName}.${name}`);
    const named = functions.slice(0, 5).join(", ");
    const more = functions.length > 5 ? ` and ${functions.length - 5} more` : "";
    reasons.push(reason("circuit_open", name, `open circuits in ${name}: ${named}${more}`));
  }
  return reasons;
}

function actorReasons({ id, status, restarts, restartedAt }: RestartedActor, now: number): HealthReason[] {
  if (status === "restarting") return [reason("actor_restarting", id, `${id} cannot be started and will be retried`)];
  if (restartedAt === null || now - restartedAt >= restartMs) return [];
  const seconds = Math.max(0, Math.round((now - restartedAt) / 1_000));
  const times = counted(restarts, "time");
  return [reason("actor_restarted", id, `${id} crashed ${seconds} s ago; it was restarted, ${times} so far`)];
}

function reason(code: HealthCode, subject: string | null, message: string): HealthReason {
  return { code, subject, message };
}
