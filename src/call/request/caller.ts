import type { Share } from "../../core/fair/share.ts";
import type { Claims, TraceContext } from "../../core/request-info.ts";
import type { Failure } from "./failure.ts";
import type { InFlightBound, RunningCalls } from "./running-calls.ts";

/** The sender of requests: one joined channel of one connection, or the host program itself. */
export interface Caller {
  readonly userId: string | null;
  readonly deviceId: string | null;
  readonly userRoles: readonly string[];
  readonly ipAddress: string | null;
  /** The topic of its channel; null for the host program. */
  readonly topic: string | null;
  readonly claims: Claims;
  readonly trace: TraceContext | null;
  /**
   * The channel's `overrideUserId`: when false, a payload's user and device id reach the function, marked unverified.
   */
  readonly overrideUserId: boolean;
  /** The channel's `requireVerifiedUserId`: when true, a caller without a user id is refused. */
  readonly requireVerifiedUserId: boolean;
  /** How many functions wait for this request: 0 for a client's or the host's own, 1 for those of their functions. */
  readonly depth: number;
  /** The client that its calls belong to when resources are shared. One object for all channels of a connection. */
  readonly share: Share;
  /** The caller's running calls; the caller's owner aborts them when it goes away. */
  readonly calls: RunningCalls;
}

/** Receives the Responses to one request after the first. */
export interface LaterResponses {
  /**
   * An async result, a stream's chunk or end.
   * @param failure only with the last Response: null for a success, otherwise the failure and its cause, for the host
   *   program, never for clients
   */
  push(response: string, failure?: Failure | null): void;
  /**
   * Whether the client can take more. False while its socket is full; further messages are then kept, up to a bound.
   */
  readonly isReady: boolean;
  /** Calls `run` once, when the client can take more again; never if it is gone. */
  whenReady(run: () => void): void;
  /** Nothing more will come: the stream goes on elsewhere, or waits for its client, or its end is kept no more. */
  left?(): void;
  /** At its client's request this many Responses follow that were sent before; a client's socket pays for them. */
  onRepeated?(responses: number): void;
}

/**
 * Receives the answers to one request. Every text is encoded JSON. Once the channel or its socket is gone, calls have
 * no effect and do not fail.
 */
export interface ReplyTo extends LaterResponses {
  /**
   * The first Response together with the reply to the request's ref, in one write.
   * @param failure as in `push`
   */
  answer(response: string, status: "ok" | "error", reply: string, failure?: Failure | null): void;
  /** The reply alone, without a Response: an accepted request of type `none`. */
  reply(status: "ok" | "error", reply: string): void;
}

/** Handles a channel's requests. Never throws. */
export interface RequestHandler {
  /**
   * @param payload the frame's payload, any JSON value
   * @param bytes its size as it came, for `maxPayloadBytes`
   * @param weight its approximate memory, in bytes
   */
  handle(payload: unknown, bytes: number, caller: Caller, replyTo: ReplyTo, weight: number): void;
  /**
   * Continues a stream on another channel.
   *
   * @param payload the client's description of it, any JSON value
   * @param channel receives its further Responses
   * @returns the reason for not doing so, or what to do after the client was told that it goes on; later, if another
   *   gateway has the stream
   */
  resume(payload: unknown, caller: Caller, channel: LaterResponses): Resumption | Promise<Resumption>;
}

/** The outcome of {@link RequestHandler.resume}. */
export type Resumption = ResumeRefusal | (() => void);

/** Why a stream does not go on where a client wants it to. */
export type ResumeRefusal = "not_found" | "gap" | "request_id_in_use" | InFlightBound;
