import { addClaims, noClaims, readClaims } from "../../call/request/claims.ts";
import { genApiErrorIn, toError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import { callInOwnContext } from "../../core/foreign/own-context.ts";
import { isThenable, settle } from "../../core/foreign/thenable.ts";
import type { Claims } from "../../core/request-info.ts";
import { encodeResult } from "../../execution/encode-result.ts";
import type { ReplyStatus } from "../../protocol/channel-events.ts";
import { loopReleased, loopTaken, type Program } from "../../telemetry/main-loop.ts";
import { type ChannelDefinition, JoinRefused, type JoinRequest } from "./channel.ts";
import { isJoined } from "./joined.ts";

/** The answer to a join. */
export interface JoinDecision {
  readonly status: ReplyStatus;
  /** JSON. */
  readonly response: string;
  /** The client's claims on this channel, if `join` added to those of its connection. */
  readonly claims?: Claims;
  /** An error that `join` threw other than to refuse. */
  readonly crash?: Error;
}

/**
 * Calls a channel's `join` function, and `decided` with its answer: once, now or later; never if the promise of `join`
 * never settles. Never throws.
 *
 * @param maxBytes the most UTF-8 bytes of JSON in the answer
 */
export function askToJoin(
  channel: ChannelDefinition,
  request: JoinRequest,
  gateway: Program,
  maxBytes: number,
  decided: (decision: JoinDecision) => void,
): void {
  let reply: unknown;
  try {
    reply = join(channel, request, gateway);
  } catch (thrown) {
    decided(refusedJoin(thrown, maxBytes));
    return;
  }
  if (!isThenable(reply)) {
    decided(accepted(reply, request, maxBytes));
    return;
  }
  settle(
    reply,
    (value) => decided(accepted(value, request, maxBytes)),
    (thrown) => decided(refusedJoin(thrown, maxBytes)),
  );
}

function join(channel: ChannelDefinition, request: JoinRequest, gateway: Program): unknown {
  const since = loopTaken(gateway.clock);
  try {
    return callInOwnContext(channel.join, [request]);
  } finally {
    loopReleased(since, gateway, "join", request.topic);
  }
}

function accepted(returned: unknown, { socket }: JoinRequest, maxBytes: number): JoinDecision {
  hearPromises(returned);
  try {
    if (!isJoined(returned)) return { status: "ok", response: encoded(returned, maxBytes) };
    const { claims: given, reply } = returned;
    // A getter may have created promises of its own.
    hearPromises([given, reply]);
    const added = readClaims(given, "the claims that join returns");
    const claims = addClaims(socket.assigns.claims ?? noClaims, added);
    return { status: "ok", response: encoded(reply, maxBytes), claims };
  } catch (thrown) {
    return crashed(thrown);
  }
}

function refusedJoin(thrown: unknown, maxBytes: number): JoinDecision {
  hearPromises(thrown);
  try {
    if (thrown instanceof JoinRefused) return { status: "error", response: encoded(thrown.payload, maxBytes) };
    const error = genApiErrorIn(thrown);
    if (error !== null) return { status: "error", response: JSON.stringify({ reason: error.reason }) };
    return crashed(thrown);
  } catch (unencodable) {
    return crashed(unencodable);
  }
}

/** Values that JSON leaves out become an empty reply. */
function encoded(value: unknown, maxBytes: number): string {
  const json = encodeResult(value, maxBytes);
  return json === "null" ? "{}" : json;
}

function crashed(thrown: unknown): JoinDecision {
  return { status: "error", response: '{"reason":"join crashed"}', crash: toError(thrown) };
}
