import { messageOf, toError } from "../../core/errors.ts";
import type { TraceContext } from "../../core/request-info.ts";
import type { Clock } from "../../core/time/clock.ts";
import {
  type CallCarrier,
  maxNestedCalls,
  maxNestedStreams,
  type NestedListener,
  type NestedRequest,
  type RunningNested,
} from "../../execution/call-carrier.ts";
import type { Caller, RequestHandler } from "../request/caller.ts";
import { cancelled, type Failure, invalidRequest, timedOut, unavailable } from "../request/failure.ts";
import type { Request } from "../request/request.ts";
import { encodeFailure } from "../request/response.ts";
import { RunningCalls } from "../request/running-calls.ts";
import { NestedReply } from "./nested-reply.ts";

/** The parts of the gateway that calls of functions need. */
export interface NestedDeps {
  readonly clock: Clock;
  /** Takes them as it takes clients' requests. */
  requests(): RequestHandler;
  /** How deep functions may call functions. */
  readonly maxCallDepth: number;
  readonly maxPayloadBytes: number;
}

/** The call whose function calls others. */
export interface OuterCall {
  readonly request: Request;
  readonly caller: Caller;
  readonly trace: TraceContext | null;
}

// A function counts its own calls and stays below. More of them come only from a node that does not, or when the end of
// one passes the start of the next on the way.
const mostAtOnce = 2 * (maxNestedCalls + maxNestedStreams);

// Each level appends its number.
const maxOuterIdLength = 256;

const nothing: RunningNested = { cancel: () => undefined, grant: () => undefined };

/**
 * The calls that one attempt of a function makes: requests of its own caller, with that caller's identity, claims and
 * trace, and at most the time that is left. When the attempt is over they are cancelled, except casts.
 */
export class NestedCalls implements CallCarrier {
  readonly #outer: OuterCall;
  readonly #deps: NestedDeps;
  readonly #caller: Caller;
  /** When the function's own caller stops waiting, milliseconds since 1970. */
  readonly #deadline: number | null;
  #count = 0;
  #running = 0;
  #isOver = false;

  constructor(outer: OuterCall, deadline: number | null, deps: NestedDeps) {
    this.#outer = outer;
    this.#deadline = deadline;
    this.#deps = deps;
    const { userId, deviceId, userRoles, ipAddress, topic, claims, share, depth } = outer.caller;
    const { overrideUserId, requireVerifiedUserId } = outer.caller;
    this.#caller = {
      userId,
      deviceId,
      userRoles,
      ipAddress,
      topic,
      claims,
      trace: outer.trace,
      share,
      depth: depth + 1,
      overrideUserId,
      requireVerifiedUserId,
      calls: new RunningCalls(),
    };
  }

  carry(request: NestedRequest, listener: NestedListener): RunningNested {
    const outerId = this.#outer.request.requestId.slice(0, maxOuterIdLength);
    const requestId = `${outerId}/${++this.#count}`;
    const read = this.#payloadOf(request, requestId);
    if ("code" in read) {
      listener.onResponse(encodeFailure(requestId, read, false), true);
      return nothing;
    }
    this.#running++;
    const { payload, bytes } = read;
    const reply = new NestedReply(requestId, request, this.#caller.calls, listener, () => this.#running--);
    this.#deps.requests().handle(payload, bytes, this.#caller, reply, bytes);
    return reply;
  }

  /** The attempt is over. */
  end(): void {
    this.#isOver = true;
    // To casts it makes no difference.
    this.#caller.calls.abortAll("disconnected");
  }

  #payloadOf(
    { service, requestType, args, version, timeoutMs }: NestedRequest,
    requestId: string,
  ): { readonly payload: unknown; readonly bytes: number } | Failure {
    const { maxCallDepth, maxPayloadBytes } = this.#deps;
    if (this.#isOver) return cancelled;
    if (this.#caller.depth > maxCallDepth) {
      return invalidRequest(`Functions may call functions at most ${maxCallDepth} deep`);
    }
    if (this.#running >= mostAtOnce) return unavailable;
    const leftMs = this.#deadline === null ? null : this.#deadline - this.#deps.clock.systemTime();
    if (leftMs !== null && leftMs <= 0) return timedOut(0);
    const { claimedUserId, claimedDeviceId } = this.#outer.request;
    const payload = {
      request_id: requestId,
      service,
      request_type: requestType,
      version,
      timeout_ms: shorter(timeoutMs, leftMs),
      user_id: claimedUserId,
      device_id: claimedDeviceId,
      args: {} as unknown,
    };
    const bytes = Buffer.byteLength(args);
    // Refused for its size, unread.
    if (bytes > maxPayloadBytes) return { payload, bytes };
    try {
      payload.args = JSON.parse(args);
    } catch (thrown) {
      return invalidRequest(`args must be JSON: ${messageOf(toError(thrown))}`);
    }
    return { payload, bytes };
  }
}

function shorter(one: number | null, other: number | null): number | null {
  const least = Math.min(one ?? Number.POSITIVE_INFINITY, other ?? Number.POSITIVE_INFINITY);
  // Requests wait at least 1 ms.
  return least === Number.POSITIVE_INFINITY ? null : Math.max(1, least);
}
