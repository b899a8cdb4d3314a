import type { Mfa } from "../config/fun-config.ts";
import { describe, libraryError, messageOf, toError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { isThenable } from "../core/foreign/thenable.ts";
import type { Clock } from "../core/time/clock.ts";
import { OwnTimers } from "../core/time/own-timers.ts";
import { within } from "../core/time/within.ts";
import type { PulledFunctions, PulledOutcome } from "./config-receiver.ts";
import type { PullFunctions } from "./service-config.ts";
import { isList } from "./sets/function-sets.ts";

/** What to pull, and from which nodes. */
export interface PullPlan extends PullFunctions {
  readonly nodes: readonly string[] | Mfa;
}

/** The time limit and the signal of a call to a node. */
export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The parts of the gateway that a pull needs. */
export interface PullDeps {
  readonly clock: Clock;
  /** Time limit for each call to a node, milliseconds. */
  readonly pullTimeoutMs: number;
  /** Whether the node can be called for the service now. */
  isLive(node: string, service: string): boolean;
  /** The names that a resolver returns, perhaps as a promise, or the list itself. */
  resolveNodes(nodes: readonly string[] | Mfa): unknown;
  /** Calls a function of the `modules` of a node that serves the service, or of its built-in module. */
  callNode(node: string, service: string, mfa: Mfa, limits: CallLimits): Promise<unknown>;
}

/** The set that a pull renews, and its owner. */
export interface PullTarget {
  readonly service: string;
  /** Its name among the service's sets. */
  readonly set: string;
  /** Whether this version of the set is registered. */
  isCurrent(configVersion: string): boolean;
  /** Registers the pulled functions. */
  pulled(functions: PulledFunctions): Promise<PulledOutcome>;
}

/** How a pull succeeded; a pull that failed with all nodes throws instead. */
export interface PullOutcome extends PulledOutcome {
  readonly node: string;
}

/**
 * Pulls a service once: asks its live nodes one after another until one gives a valid answer.
 *
 * @throws GenApiError `unavailable` with the reason of each node; `stopped` when `signal` aborts a call
 */
export async function pullFunctions(
  target: PullTarget,
  plan: PullPlan,
  deps: PullDeps,
  signal: AbortSignal,
): Promise<PullOutcome> {
  const timers = new OwnTimers(deps.clock);
  signal.addEventListener("abort", () => timers.close(), { once: true });
  const { service } = target;
  const { pullTimeoutMs } = deps;
  const names = namesIn(await limited(deps.resolveNodes(plan.nodes), pullTimeoutMs, timers), service);
  const live = names.filter((node) => deps.isLive(node, service));
  const problems: string[] = [];
  for (const node of live) {
    const ask = (mfa: Mfa) => deps.callNode(node, service, mfa, { timeoutMs: pullTimeoutMs, signal });
    try {
      return { node, ...(await pullFrom(node, names, target, plan, ask)) };
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      problems.push(`${node}: ${messageOf(toError(thrown))}`);
    }
  }
  const why =
    live.length === 0 ? `none of its nodes is live (${names.join(", ") || "there are none"})` : problems.join("; ");
  throw libraryError("unavailable", `The service "${service}" could not be pulled: ${why}`);
}

async function pullFrom(
  node: string,
  allowedNodes: readonly string[],
  target: PullTarget,
  plan: PullPlan,
  ask: (mfa: Mfa) => Promise<unknown>,
): Promise<PulledOutcome> {
  // The version first: functions that change in between are then pulled again, not missed.
  const configVersion = plan.version === null ? null : versionIn(await ask(plan.version));
  if (configVersion !== null && target.isCurrent(configVersion)) return { isChanged: false, accepted: 0, refused: 0 };
  const functions = await ask(plan.functions);
  const { service, set } = target;
  const nodes = isList(plan.nodes) ? [...new Set(plan.nodes)].sort() : plan.nodes;
  return target.pulled({ service, set, node, nodes, allowedNodes, configVersion, functions });
}

function namesIn(value: unknown, service: string): readonly string[] {
  if (Array.isArray(value) && value.every((name) => typeof name === "string")) return value;
  const came = describe(value);
  throw libraryError("invalid_config", `The resolver of the service "${service}" must return node names, got ${came}`);
}

function versionIn(value: unknown): string {
  if (typeof value === "string" && value !== "" && value.length <= 256) return value;
  if (typeof value === "number") return String(value);
  throw libraryError("invalid_config", `its version must be a string of 1 to 256 characters, got ${shown(value)}`);
}

/** A resolver's result, or the value of its promise within the time limit. */
async function limited(returned: unknown, timeoutMs: number, clock: Clock): Promise<unknown> {
  if (!isThenable(returned)) return returned;
  const outcome = await within<{ readonly value: unknown } | { readonly thrown: unknown }>(
    returned,
    timeoutMs,
    clock,
    (value) => ({ value }),
    (thrown) => ({ thrown }),
  );
  if ("thrown" in outcome) throw outcome.thrown;
  return outcome.value;
}
