import type { TraceContext } from "../core/request-info.ts";
import type { RunningCalls } from "./running-calls.ts";

/** Who sends requests: one joined channel of one connection, or the host program itself. */
export interface Caller {
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  readonly ipAddress: string | null;
  readonly trace: TraceContext | null;
  /** The channel's `overrideUserId`: when false, a payload's user and device id reach the function, marked unverified. */
  readonly overrideUserId: boolean;
  /** The channel's `requireVerifiedUserId`: when true, a caller without a user id is refused. */
  readonly requireVerifiedUserId: boolean;
  /** The calls of this caller that still run; whoever owns the caller aborts them when it goes away. */
  readonly calls: RunningCalls;
}

/**
 * Where the answers to one request go. Every text is JSON that is already encoded.
 * Nothing is delivered, and nothing fails, once the channel or its socket is gone.
 */
export interface ReplyTo {
  /** The first Response together with the reply to the request's ref, in one write. */
  answer(response: string, status: "ok" | "error", reply: string): void;
  /** A later Response: an async result, a stream's chunk or end. */
  push(response: string): void;
  /** Whether the client takes more. False while its socket is full; what is sent all the same is kept, up to a bound. */
  readonly isReady: boolean;
  /** Calls `run` once, when the client takes more again; never when it is gone. */
  whenReady(run: () => void): void;
  /** The reply alone, without a Response: an accepted request of type `none`. */
  reply(status: "ok" | "error", reply: string): void;
}

/** What a channel does with a request. Never throws. */
export interface RequestHandler {
  /** @param payload the frame's payload, any JSON value @param bytes its size as it came, for `maxPayloadBytes` */
  handle(payload: unknown, bytes: number, caller: Caller, replyTo: ReplyTo): void;
}
