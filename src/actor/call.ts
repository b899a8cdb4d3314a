import type { ActorRef, AnyEventObject, Snapshot } from "xstate";
import type { noReply, Refusal, Stop } from "./handler-result.ts";
import { type From, request } from "./request.ts";

export { type From, reply } from "./request.ts";

/** Marks types only. */
export declare const handlers: unique symbol;

/** A reference to a server that says what it can be asked. */
export interface GenServerRef<Calls, Casts> extends ActorRef<Snapshot<unknown>, AnyEventObject> {
  readonly [handlers]?: { readonly calls: Calls; readonly casts: Casts };
}

type ArgumentOf<Handler> = Handler extends (state: never, ...rest: infer Rest) => unknown
  ? Rest extends [infer Argument, ...unknown[]]
    ? Argument
    : undefined
  : never;

type ReplyOf<Handler> = Handler extends (...args: infer Args) => infer Result
  ? Args extends [unknown, unknown, From<infer Late>, ...unknown[]]
    ? Late
    : ReplyIn<Awaited<Result>>
  : never;
type ReplyIn<Result> = Result extends typeof noReply | Refusal
  ? never
  : Result extends Stop<infer Reply>
    ? Reply
    : Result;

/** How long a call waits. */
export interface CallOptions {
  /** @default 5000, as in OTP */
  readonly timeoutMs?: number | "infinity";
}

/**
 * Asks a server and waits for its reply.
 *
 * @throws GenApiError (as a rejection) `noproc` when the server has ended, or ends before it replies, then with its
 * error as cause; `timeout`; and whatever its handler refused with
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

/** Tells a server something; nobody learns whether it arrived. */
export function cast<Calls, Casts, Name extends string & keyof Casts>(
  ref: GenServerRef<Calls, Casts> | undefined,
  name: Name,
  ...[argument]: undefined extends ArgumentOf<Casts[Name]>
    ? [argument?: ArgumentOf<Casts[Name]>]
    : [argument: ArgumentOf<Casts[Name]>]
): void {
  ref?.send({ type: "gen_server.cast", name, argument });
}

/** How {@link call} reaches its server. */
export interface CallEvent {
  readonly type: "gen_server.call";
  readonly name: string;
  readonly argument: never;
  readonly from: From<unknown>;
}
/** How {@link cast} reaches its server. */
export interface CastEvent {
  readonly type: "gen_server.cast";
  readonly name: string;
  readonly argument: never;
}
