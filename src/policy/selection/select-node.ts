import { randomNode } from "./random.ts";
import { rendezvousNode } from "./rendezvous.ts";
import type { RoundRobin } from "./round-robin.ts";
import type { StickyTable } from "./sticky.ts";

/** A FunConfig's `chooseNodeMode`. */
export type ChooseNodeMode =
  /** Any node. */
  | "random"
  /** By the request's id. */
  | "hash"
  /** One after the other. */
  | "roundRobin"
  /** By the value of an argument. */
  | { readonly hash: string }
  /** By the value of an argument, or by the connection's `userId` or `deviceId`; remembered. */
  | { readonly sticky: string };

/** The parts of a request that decide its node. Its arguments have not been validated yet. */
export interface SelectedRequest {
  readonly requestId: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly userId: string | null;
  readonly deviceId: string | null;
}

/** What selection remembers between requests, and its source of chance. */
export interface Selection {
  /** Returns a number in [0, 1), as `Math.random` does. */
  readonly random: () => number;
  readonly roundRobin: RoundRobin;
  readonly sticky: StickyTable;
}

/**
 * The node for a request. Without a usable key (a non-empty string, a finite number or a boolean) `hash` and `sticky`
 * fall back to random.
 *
 * @param functionKey identifies the FunConfig
 * @param liveNodes the function's nodes without those known to be down
 * @returns null if none lives: the request is `unavailable`
 */
export function selectNode(
  mode: ChooseNodeMode,
  functionKey: string,
  liveNodes: readonly string[],
  request: SelectedRequest,
  selection: Selection,
): string | null {
  if (liveNodes.length === 0) return null;
  if (mode === "roundRobin") return selection.roundRobin.next(functionKey, liveNodes);
  const key = keyOf(mode, request);
  if (key === null) return randomNode(liveNodes, selection.random);
  if (typeof mode === "object" && "sticky" in mode) return selection.sticky.place(functionKey, key, liveNodes);
  return rendezvousNode(liveNodes, key);
}

/**
 * The node that {@link selectNode} would choose; takes no turn and remembers nothing.
 *
 * @returns null if chance decides, or none lives
 */
export function peekNode(
  mode: ChooseNodeMode,
  functionKey: string,
  liveNodes: readonly string[],
  request: SelectedRequest,
  { roundRobin, sticky }: Pick<Selection, "roundRobin" | "sticky">,
): string | null {
  const [first] = liveNodes;
  if (first === undefined || liveNodes.length === 1) return first ?? null;
  if (mode === "roundRobin") return roundRobin.peek(functionKey, liveNodes);
  const key = keyOf(mode, request);
  if (key === null) return null;
  if (typeof mode === "object" && "sticky" in mode) return sticky.peek(functionKey, key, liveNodes);
  return rendezvousNode(liveNodes, key);
}

/**
 * The next node for a request that its selected node did not take. Nothing is remembered: the turns are unchanged, and
 * a sticky key stays with its node, which may take the next request.
 *
 * @param otherNodes the function's live nodes without those that were tried
 * @param random returns a number in [0, 1), as `Math.random` does
 * @returns null if no other node lives
 */
export function selectOtherNode(
  mode: ChooseNodeMode,
  otherNodes: readonly string[],
  request: SelectedRequest,
  random: () => number,
): string | null {
  if (otherNodes.length === 0) return null;
  const key = keyOf(mode, request);
  return key === null ? randomNode(otherNodes, random) : rendezvousNode(otherNodes, key);
}

/** The key that decides a request's node; null if its mode needs none, or the request has no usable one. */
function keyOf(mode: ChooseNodeMode, request: SelectedRequest): string | null {
  if (mode === "random" || mode === "roundRobin") return null;
  if (mode === "hash") return keyText(request.requestId);
  if ("hash" in mode) return keyText(request.args[mode.hash]);
  // The connection's identity takes precedence over an argument of the same name.
  if (mode.sticky === "userId" || mode.sticky === "deviceId") return keyText(request[mode.sticky]);
  return keyText(request.args[mode.sticky]);
}

// Properties that every object inherits are neither text nor number, so an inherited name counts as a missing key too.
function keyText(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  return typeof value === "boolean" || Number.isFinite(value) ? String(value) : null;
}
