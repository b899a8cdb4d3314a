import type { RestartedActor } from "../actor/tree-node.ts";
import type { WorkerPoolStatus } from "../worker/worker-pool-options.ts";
import type { ServiceView } from "./cluster-view.ts";
import { counted } from "./stages.ts";

/** What can be wrong with a gateway. */
export type HealthCode =
  | "stopped"
  | "draining"
  | "not_listening"
  | "pool_down"
  | "service_missing"
  | "service_without_nodes"
  | "pool_without_threads"
  | "queue_filling"
  | "circuit_open"
  | "actor_restarting"
  | "actor_restarted";

/** One thing that is wrong. */
export interface HealthReason {
  /** What is wrong, for programs. */
  readonly code: HealthCode;
  /** What it is about: a service, a pool, an actor; null: the gateway. */
  readonly subject: string | null;
  /** For people. */
  readonly message: string;
}

/** How a gateway is. */
export interface Health {
  /** "down": no request is answered, or none of those that run on this gateway's threads. */
  readonly status: "ok" | "degraded" | "down";
  /** Whether clients should be sent here. */
  readonly isReady: boolean;
  /** Everything that is wrong, the worst first. */
  readonly reasons: readonly HealthReason[];
}

/** What a gateway's health is told from. */
export interface HealthFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether its tree lives. */
  readonly isRunning: boolean;
  readonly isDraining: boolean;
  /** Null where it is to listen nowhere. */
  readonly isListening: boolean | null;
  readonly pools: readonly WorkerPoolStatus[];
  readonly missingServices: readonly string[];
  readonly services: readonly Pick<ServiceView, "service" | "hasLiveNodes">[];
  readonly restarted: readonly RestartedActor[];
}

const isDown: ReadonlySet<HealthCode> = new Set(["stopped", "draining", "not_listening", "pool_down"]);
const isUnready: ReadonlySet<HealthCode> = new Set([...isDown, "service_missing"]);

// A restart is told for so long, and a queue from there on.
const restartMs = 60_000;
const fillingAt = 0.8;

/** Decides how a gateway is. */
export function healthOf(facts: HealthFacts): Health {
  const reasons = [...gatewayReasons(facts), ...facts.pools.flatMap(poolReasons)];
  for (const service of facts.missingServices) {
    reasons.push(reason("service_missing", service, `no node has pushed the expected service ${service} yet`));
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

/** Those of the reasons for which no client should be sent to the gateway. */
export function unreadyReasons({ reasons }: Health): readonly HealthReason[] {
  return reasons.filter(({ code }) => isUnready.has(code));
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
    // Threads start with the first calls, and one that was lost is replaced.
    if (readyThreads === 0 && queued > 0) reasons.push(reason("pool_without_threads", name, message));
  }
  if (queued > maxQueueSize * fillingAt) {
    reasons.push(
      reason("queue_filling", name, `${queued} of ${maxQueueSize} places in the queue of ${name} are taken`),
    );
  }
  if (openCircuits.length > 0) {
    const functions = openCircuits.map(({ function: fun }) => fun);
    const named = functions.slice(0, 5).join(", ");
    const more = functions.length > 5 ? ` and ${functions.length - 5} more` : "";
    reasons.push(reason("circuit_open", name, `open circuits in ${name}: ${named}${more}`));
  }
  return reasons;
}

function actorReasons({ id, status, restarts, restartedAt }: RestartedActor, now: number): HealthReason[] {
  if (status === "restarting") return [reason("actor_restarting", id, `${id} cannot be started, and is tried again`)];
  if (restartedAt === null || now - restartedAt >= restartMs) return [];
  const seconds = Math.max(0, Math.round((now - restartedAt) / 1_000));
  const times = counted(restarts, "time");
  return [reason("actor_restarted", id, `${id} crashed ${seconds} s ago; it was started again, ${times} so far`)];
}

function reason(code: HealthCode, subject: string | null, message: string): HealthReason {
  return { code, subject, message };
}
