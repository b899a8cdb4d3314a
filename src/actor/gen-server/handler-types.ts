import type { From } from "./from.ts";
import type { noReply, RefusedCall, Stop } from "./handler-result.ts";

/** What a handler is called with: the argument of its calls or casts. */
export type ArgumentOf<Handler> = Handler extends (state: never, ...rest: infer Rest) => unknown
  ? Rest extends [infer Argument, ...unknown[]]
    ? Argument
    : undefined
  : never;

/** What a call of a handler is answered with. */
export type ReplyOf<Handler> = Handler extends (...args: infer Args) => infer Result
  ? Args extends [unknown, unknown, From<infer Late>, ...unknown[]]
    ? Late
    : ReplyIn<Awaited<Result>>
  : never;
type ReplyIn<Result> = Result extends typeof noReply | RefusedCall
  ? never
  : Result extends Stop<infer Reply>
    ? Reply
    : Result;

/**
 * How long a call waits.
 *
 * @example
 * const patient: CallOptions = { timeoutMs: "infinity" };
 * await call(system.whereis("counter"), "add", 1, patient);
 */
export interface CallOptions {
  /** Milliseconds until the call is given up; the server may still handle it. @default 5000, as in OTP */
  readonly timeoutMs?: number | "infinity";
}
