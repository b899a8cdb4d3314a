import type { ExitReason } from "./exit.ts";

/** What a call handler returns to answer later, by `reply`. */
export const noReply: unique symbol = Symbol("noReply");

/** See {@link stop}. */
export class Stop<Reply> {
  readonly reason: ExitReason;
  readonly replies: readonly Reply[];
  constructor(reason: ExitReason, replies: readonly Reply[]) {
    this.reason = reason;
    this.replies = replies;
  }
}

/** See {@link refuse}. */
export class Refusal {
  readonly error: Error;
  constructor(error: Error) {
    this.error = error;
  }
}

/** Returned by a handler, ends the server for `reason`; a call handler can give its answer with it. */
export function stop(reason: ExitReason): Stop<never>;
export function stop<Reply>(reason: ExitReason, reply: Reply): Stop<Reply>;
export function stop(reason: ExitReason, ...replies: unknown[]): Stop<unknown> {
  return new Stop(reason, replies);
}

/** Returned by a call handler, rejects the call with `error`; the server itself goes on. */
export function refuse(error: Error): Refusal {
  return new Refusal(error);
}
