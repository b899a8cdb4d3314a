import { isGenApiError, toError } from "../core/errors.ts";
import type { Status } from "../protocol/events.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { type ChannelDefinition, JoinRefused, type JoinRequest } from "./channel.ts";

/** How a join is answered. */
export interface JoinDecision {
  readonly status: Status;
  /** JSON. */
  readonly response: string;
  /** What a `join` threw that did not mean to refuse. */
  readonly crash?: Error;
}

/** Asks a channel's `join` function. Never throws, and the promise never rejects. */
export function askToJoin(
  channel: ChannelDefinition,
  request: JoinRequest,
  gateway: Program,
): JoinDecision | PromiseLike<JoinDecision> {
  try {
    const reply = join(channel, request, gateway);
    return isPromise(reply) ? reply.then(accepted, refused) : accepted(reply);
  } catch (error) {
    return refused(error);
  }
}

function join(channel: ChannelDefinition, request: JoinRequest, gateway: Program) {
  const since = loopTaken(gateway.clock);
  try {
    return channel.join(request);
  } finally {
    loopReleased(since, gateway, "join", request.topic);
  }
}

/** Whether `value` has yet to be waited for. */
export function isPromise<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function accepted(reply: unknown): JoinDecision {
  try {
    return { status: "ok", response: JSON.stringify(reply ?? {}) ?? "{}" };
  } catch (error) {
    return crashed(error);
  }
}

function refused(error: unknown): JoinDecision {
  try {
    if (error instanceof JoinRefused) return { status: "error", response: JSON.stringify(error.payload) ?? "{}" };
    if (isGenApiError(error)) return { status: "error", response: JSON.stringify({ reason: error.reason }) };
    return crashed(error);
  } catch (unencodable) {
    return crashed(unencodable);
  }
}

function crashed(error: unknown): JoinDecision {
  return { status: "error", response: '{"reason":"join crashed"}', crash: toError(error) };
}
