import { holds, mustTake } from "../../core/argument.ts";
import { isError, libraryError } from "../../core/errors.ts";
import { shown } from "../../core/shown.ts";
import type { ExitReason } from "../lifecycle/exit-reason.ts";

/**
 * What a call handler returns to answer later, by `reply`.
 *
 * @example
 * const handleCall = { wait: (waiting: From<string>[], _argument: undefined, from: From<string>) => (waiting.push(from), noReply) };
 * fromGenServer({ init: (): From<string>[] => [], handleCall });
 */
export const noReply: unique symbol = Symbol("noReply");

/** See {@link stop}. */
export class Stop<Reply> {
  /** Why the server ends. */
  readonly reason: ExitReason;
  /** The answer to the call, where one was given. */
  readonly replies: readonly Reply[];
  constructor(reason: ExitReason, replies: readonly Reply[]) {
    this.reason = reason;
    this.replies = replies;
  }
}

/** See {@link refuse}. */
export class RefusedCall {
  /** What the call is rejected with. */
  readonly error: Error;
  constructor(error: Error) {
    this.error = error;
  }
}

/**
 * Returned by a handler, ends the server for `reason`; a call handler can give its answer with it (`{:stop, …}`).
 *
 * @throws GenApiError `invalid_request` when `reason` is none
 * @example
 * const once = fromGenServer({ init: () => undefined, handleCall: { ask: () => stop("normal", "the only answer") } });
 * const ref = await startChild(system.root, { id: "once", logic: once, restart: "transient" });
 * await call(ref, "ask"); // "the only answer"
 */
export function stop(reason: ExitReason): Stop<never>;
export function stop<Reply>(reason: ExitReason, reply: Reply): Stop<Reply>;
export function stop(reason: ExitReason, ...replies: unknown[]): Stop<unknown> {
  if (holds(isExitReason, reason)) return new Stop(reason, replies);
  const hint = isError(reason) ? "an error: give it as { error }" : shown(reason);
  const message = `stop takes "normal", "shutdown", "killed" or { error } with an Error, got ${hint}`;
  throw libraryError("invalid_request", message, isError(reason) ? { cause: reason } : {});
}

function isExitReason(value: unknown): boolean {
  if (value === "normal" || value === "shutdown" || value === "killed") return true;
  return typeof value === "object" && value !== null && isError((value as { error?: unknown }).error);
}

/**
 * Returned by a call handler, rejects the call with `error`; the server itself goes on (`{:reply, {:error, …}, state}`).
 *
 * @throws GenApiError `invalid_request` when `error` is none
 * @example
 * const stock = fromGenServer({
 *   init: () => new Map([["apple", 3]]),
 *   handleCall: {
 *     get: (state, item: string) => state.get(item) ?? refuse(new GenApiError("unknown_item", `No ${item} here`)),
 *   },
 * });
 * const ref = await startChild(system.root, { id: "stock", logic: stock });
 * await call(ref, "get", "pear").catch((error) => error.reason); // "unknown_item"
 */
export function refuse(error: Error): RefusedCall {
  mustTake("refuse", "an Error", error, isError);
  return new RefusedCall(error);
}
