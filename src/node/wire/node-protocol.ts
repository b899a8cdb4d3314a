import type { FrameLimits } from "../message-pack/frame-scan.ts";

/**
 * The messages between a gateway and a service node after their handshake. A message is a row of entries, each a list
 * that begins with the number of its operation: all entries of one turn of the sender's event loop in order, so that
 * many calls cost one message. In addition there are heartbeats, see `heartbeat.ts`.
 *
 * A call is identified by its **id**, which the gateway assigns and never reuses: its {@link maxCallsInFlight slot}
 * plus a multiple of the number of slots.
 */

/** The version of this protocol and the handshake. */
export const protocolVersion = 5;

/** The most calls and streams of one gateway at one node. */
export const maxCallsInFlight = 65_536;

/** The most functions with a number at a time; then numbering starts again from 0. */
export const maxDefinitions = 4_096;

/** The largest window of unconsumed chunks of a stream that a gateway may set. */
export const widestStreamWindow = 2_048;

/** A message to a node: room for the arguments of the largest requests. */
export const toNodeLimits: FrameLimits = { entries: 4_096, values: 1_048_576 };

/** A message from a node: each result is one text, so the largest message is a slice of a push. */
export const fromNodeLimits: FrameLimits = { entries: 4_096, values: 262_144 };

/** To a node; in brackets the data after the operation. */
export const toNode = {
  /** Defines a function's number from here on: [number, module, function, service, requestType, version]. */
  define: 0,
  /**
   * Run a call: [id, function's number, maxResultBytes, identity, args, share], then null and true if another function waits for
   * it.
   */
  call: 1,
  /** Like `call`, but it continues when the link is lost. */
  cast: 2,
  /** Like `call`, for a function that answers with a stream; one with a window has it after the share. */
  stream: 3,
  /** Abort a call's or stream's signal; its id gets no more answers: [id, reason]. */
  cancel: 4,
  /** A stream's consumer has taken chunks: [id, how many]. */
  grant: 5,
  /** The answer to an `ask`: [ask, whether it succeeded, the answer or {@link AskFailure}]. */
  reply: 6,
  /** A stream's client has acknowledged chunks: [id, how many]. */
  acknowledge: 7,
  /** A Response to a call that a function made: [the function's id, the call's number, json, whether it is the last]. */
  respond: 8,
} as const;

/** From a node; in brackets the data after the operation. */
export const fromNode = {
  /** A call's result as JSON text: [id, json]. */
  result: 0,
  /** A call or stream failed: [id, RemoteFailure, whether its function was called]. */
  failure: 1,
  /** A stream's chunk as JSON text: [id, json]. */
  chunk: 2,
  /** A stream ended: [id, its last chunk or null]. */
  end: 3,
  /** The node asks the gateway for something: [ask, name, body]. */
  ask: 4,
  /**
   * A call's function calls another: [id, number, service, requestType, args as JSON, version, timeoutMs, isStream]. The
   * node numbers the calls of each function.
   */
  nested: 5,
  /** It does not wait for that any more: [id, number]. */
  nestedCancel: 6,
  /** It has taken chunks of a nested stream: [id, number, how many]. */
  nestedGrant: 7,
} as const;

/** The ask by which a node leaves: after its answer no more calls come. */
export const leaveAsk = "leave";

/** The most open asks of one node; with more it loses its link. */
export const maxAsks = 64;
