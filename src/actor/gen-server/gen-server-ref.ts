import type { ActorRef, AnyEventObject, Snapshot } from "xstate";
import type { From } from "./from.ts";
import type { ArgumentOf, CallOptions, ReplyOf } from "./handler-types.ts";
import { request } from "./pending-request.ts";

export { type From, reply } from "./from.ts";

/** For types only. */
export declare const handlers: unique symbol;

/** A reference to a server, typed with the requests it takes. */
export interface GenServerRef<Calls, Casts> extends ActorRef<Snapshot<unknown>, AnyEventObject> {
  readonly [handlers]?: { readonly calls: Calls; readonly casts: Casts };
}

/**
 * Sends a server a request and waits for its reply.
 *
 * @throws GenApiError (as a rejection) `noproc` if the server has ended, or ends before it replies, then with its error
 * as cause; `timeout`; or the error with which its handler refused
 */
export function call<Calls, Casts, Name extends string & keyof Calls>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument, options]: undefined extends ArgumentOf<Calls[Name]>
    ? [argument?: ArgumentOf<Calls[Name]>, options?: CallOptions]
    : [argument: ArgumentOf<Calls[Name]>, options?: CallOptions]
): Promise<ReplyOf<Calls[Name]>> {
  return request(ref, name, options?.timeoutMs ?? 5000, (from) => ({ type: "gen_server.call", name, argument, from }));
}

/** Sends a server a message without waiting; the sender does not learn whether it arrived. */
export function cast<Calls, Casts, Name extends string & keyof Casts>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument]: undefined extends ArgumentOf<Casts[Name]>
    ? [argument?: ArgumentOf<Casts[Name]>]
    : [argument: ArgumentOf<Casts[Name]>]
): void {
  ref?.send({ type: "gen_server.cast", name, argument });
}

/** The event that {@link call} sends. */
export interface CallEvent {
  readonly type: "gen_server.call";
  readonly name: string;
  readonly argument: never;
  readonly from: From<unknown>;
}
/** The event that {@link cast} sends. */
export interface CastEvent {
  readonly type: "gen_server.cast";
  readonly name: string;
  readonly argument: never;
}
