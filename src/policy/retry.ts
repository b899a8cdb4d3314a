import { type Backoff, backoffMs } from "../core/backoff.ts";
import type { ErrorCode } from "../core/errors.ts";

/** A FunConfig's `retry`: how many more attempts a failed call gets, and where; a bare number means all nodes. */
export type Retry = null | number | { readonly sameNode: number } | { readonly allNodes: number };

/** What a {@link Retry} comes to. */
export interface RetryPlan {
  /** How many attempts may follow the first; above 0. */
  readonly retries: number;
  /** "same": the nodes selected for the first attempt. "all": nodes are resolved and selected anew each time. */
  readonly nodes: "same" | "all";
}

/** What of a failure decides whether it is retried; every GenApiError has it. */
export interface RetriedFailure {
  readonly code: ErrorCode;
  readonly retryable: boolean;
}

/** What comes after a failed attempt. */
export type NextStep =
  /** Another attempt, after this many milliseconds. */
  | { readonly step: "retry"; readonly delayMs: number; readonly nodes: RetryPlan["nodes"] }
  /** The failure itself is the answer: retrying was not asked for, or would not help. */
  | { readonly step: "fail" }
  /** Every attempt has failed: the answer is `retry_exhausted`. */
  | { readonly step: "exhausted" };

const backoff: Backoff = { firstMs: 100, maxMs: 5_000 };

const fail: NextStep = { step: "fail" };
const exhausted: NextStep = { step: "exhausted" };

/** The plan of a FunConfig's `retry`, or null where nothing is retried: no `retry`, or 0 of them. */
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
 * Whether another attempt may help: after a timeout, where no node or thread could be had, and where the function
 * threw something unexpected. What a function threw on purpose, a GenApiError, says so itself. What was refused before
 * execution, invalid arguments among it, would be refused again; a cancelled call has nobody waiting.
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
 * Decides what follows a failed attempt. Before retry k it waits `min(100 · 2^(k-1), 5000)` ms, times a random factor
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
