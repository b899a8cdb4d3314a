import type { FrameLimits } from "./frame-scan.ts";

/**
 * What travels between a gateway and a service node once they have greeted each other. A message is a row of entries,
 * each a list that begins with the number of its operation: all entries of one turn of the sender's event loop in the
 * order they were made, so that many calls cost one message. A message without bytes is a heartbeat.
 *
 * A call is known by its **id**, which the gateway gives and does not use again: its {@link maxCallsInFlight slot} plus
 * a multiple of the number of slots.
 */

/** The version of what is said here and in the handshake. */
export const protocolVersion = 1;

/** The most calls and streams that one gateway may have at one node. */
export const maxCallsInFlight = 65_536;

/** The most functions that have a number at a time; then the numbers are given anew, from 0. */
export const maxDefinitions = 4_096;

/** A message to a node: room for the arguments of the largest requests. */
export const toNodeLimits: FrameLimits = { entries: 4_096, values: 1_048_576 };

/** A message from a node: results are one text each, so that the largest is a slice of a push. */
export const fromNodeLimits: FrameLimits = { entries: 4_096, values: 262_144 };

/** To a node; in brackets what follows the operation. */
export const toNode = {
  /** What a function's number means from here on: [number, module, function, service, requestType, version]. */
  define: 0,
  /** Run a call: [id, function's number, maxResultBytes, identity, args]. */
  call: 1,
  /** As `call`; it goes on when the link is lost. */
  cast: 2,
  /** As `call`, of a function that answers with a stream. */
  stream: 3,
  /** Abort a call's or stream's signal; its id is not answered any more: [id, reason]. */
  cancel: 4,
  /** A stream's consumer has taken chunks: [id, how many]. */
  grant: 5,
  /** The answer to an `ask`: [ask, whether it succeeded, the answer or {@link AskFailure}]. */
  reply: 6,
} as const;

/** From a node; in brackets what follows the operation. */
export const fromNode = {
  /** A call's result as JSON text: [id, json]. */
  result: 0,
  /** A call or stream failed: [id, RemoteFailure, whether its function was called]. */
  failure: 1,
  /** A stream's chunk as JSON text: [id, json]. */
  chunk: 2,
  /** A stream ended: [id, its last chunk or null]. */
  end: 3,
  /** The node wants something of the gateway: [ask, name, body]. */
  ask: 4,
} as const;

/** The ask by which a node takes its leave: after the answer no call comes any more. */
export const leaveAsk = "leave";

/** The most asks of one node that a gateway answers at a time; one that asks more loses its link. */
export const maxAsks = 64;
