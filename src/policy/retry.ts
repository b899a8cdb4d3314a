import type { ErrorCode } from "../core/errors.ts";
import { type Backoff, backoffMs } from "../core/time/backoff.ts";

/**
 * A FunConfig's `retry`: how many more attempts a failed call gets, and on which nodes; a bare number means all nodes.
 */
export type Retry = null | number | { readonly sameNode: number } | { readonly allNodes: number };

/** The meaning of a {@link Retry}. */
export interface RetryPlan {
  /** How many attempts may follow the first; above 0. */
  readonly retries: number;
  /** "same": the nodes selected for the first attempt. "all": nodes are resolved and selected again each time. */
  readonly nodes: "same" | "all";
}

/** The parts of a failure that decide whether it is retried; every GenApiError has them. */
export interface RetriedFailure {
  readonly code: ErrorCode;
  readonly retryable: boolean;
}

/** The step after a failed attempt. */
export type NextStep =
  /** Another attempt, after this many milliseconds. */
  | { readonly step: "retry"; readonly delayMs: number; readonly nodes: RetryPlan["nodes"] }
  /** The failure itself is the answer: retrying was not requested or would not help. */
  | { readonly step: "fail" }
  /** Every attempt has failed: the answer is `retry_exhausted`. */
  | { readonly step: "exhausted" };

const backoff: Backoff = { firstMs: 100, maxMs: 5_000 };

const fail: NextStep = { step: "fail" };
const exhausted: NextStep = { step: "exhausted" };

/** The plan of a FunConfig's `retry`; null if nothing is retried: no `retry`, or 0. */
export function retryPlan(retry: Retry): RetryPlan | null {
  if (retry === null) return null;
  const plan = planOf(retry);
  return plan.retries > 0 ? plan : null;
}

function planOf(retry: Exclude<Retry, null>): RetryPlan {
  if (typeof retry === "number") return { retries: retry, nodes: "all" };
  return "sameNode" in retry ? { retries: retry.sameNode, nodes: "same" } : { retries: retry.allNodes, nodes: "all" };
}

/**
 * Whether another attempt may help: after a timeout, if no node or thread was available, and if the function threw an
 * unexpected error. A GenApiError, thrown on purpose, says so itself. A request refused before execution, for example
 * for invalid arguments, would be refused again; a cancelled call has no caller any more.
 */
export function isRetryable(failure: RetriedFailure): boolean {
  switch (failure.code) {
    case "timeout":
    case "unavailable":
    case "internal":
      return true;
    case "failed":
      return failure.retryable;
    default:
      return false;
  }
}

/**
 * Decides the step after a failed attempt. Before retry k it waits `min(100 · 2^(k-1), 5000)` ms, times a random factor
 * in [0.5, 1.5).
 *
 * @param retriesDone how many retries came before: 0 when the first attempt failed
 * @param random a number in [0, 1), as `Math.random` returns it
 */
export function nextStep(
  plan: RetryPlan | null,
  retriesDone: number,
  failure: RetriedFailure,
  random: () => number,
): NextStep {
  if (plan === null || !isRetryable(failure)) return fail;
  if (retriesDone >= plan.retries) return exhausted;
  return { step: "retry", delayMs: backoffMs(backoff, retriesDone + 1, random()), nodes: plan.nodes };
}
