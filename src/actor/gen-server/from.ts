import { mustTake } from "../../core/argument.ts";

/** Takes the answer to a call. A second answer, or one after the caller gave up, has no effect. */
export interface From<Reply> {
  /** Answers. */
  settle(reply: Reply): void;
  /** Rejects. */
  fail(error: unknown): void;
}

/**
 * Answers a call, then or later (`GenServer.reply/2`).
 *
 * @throws GenApiError `invalid_request` when `from` is not what a call's handler was given
 * @example
 * const waiting: From<string>[] = [];
 * const door = fromGenServer({
 *   init: () => undefined,
 *   handleCall: { enter: (_state, _argument: undefined, from: From<string>) => (waiting.push(from), noReply) },
 *   handleCast: { open: () => waiting.forEach((from) => reply(from, "come in")) },
 * });
 * const ref = await startChild(system.root, { id: "door", logic: door });
 * setTimeout(() => cast(ref, "open"), 1);
 * await call(ref, "enter"); // "come in"
 */
export function reply<Reply>(from: From<Reply>, value: Reply): void {
  mustTake("reply", "the third argument of a call's handler", from, isFrom);
  from.settle(value);
}

function isFrom(value: unknown): boolean {
  const { settle, fail } = Object(value) as Partial<Record<keyof From<unknown>, unknown>>;
  return typeof settle === "function" && typeof fail === "function";
}
