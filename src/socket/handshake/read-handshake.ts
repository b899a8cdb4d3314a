import type { IncomingMessage } from "node:http";
import { toError } from "../../core/errors.ts";
import { readTarget } from "../../core/net/request-target.ts";
import type { TraceContext } from "../../core/request-info.ts";
import { readTrace } from "../../core/trace-context.ts";
import { negotiate } from "../../protocol/negotiate.ts";
import type { Serializer } from "../../protocol/serializer.ts";
import { parseProtocols } from "./auth-token.ts";
import type { OriginRule } from "./origin.ts";
import { parseQuery, type QueryParams } from "./query-params.ts";

/** Why a client is refused. */
export interface ConnectRefusal {
  readonly status: number;
  /** For telemetry; the client gets only the status. */
  readonly reason: string;
  readonly error?: Error;
  /** When the client may retry, milliseconds. */
  readonly retryAfterMs?: number;
}

/** When a client may retry for which the gateway had no room or no time, milliseconds. */
export const retryLaterMs = 5_000;

/** A client whose identity may be asked for. */
export interface Greeting {
  readonly serializer: Serializer;
  readonly params: QueryParams;
  readonly authToken: string | null;
}

/** Parses an upgrade request, or refuses it: first by its origin, then its version, then its token. */
export function readHandshake(request: IncomingMessage, isOriginAllowed: OriginRule): Greeting | ConnectRefusal {
  const { headers } = request;
  try {
    if (!isOriginAllowed(request)) return { status: 403, reason: "the origin is not allowed" };
  } catch (thrown) {
    return { status: 403, reason: "allowedOrigins gave no answer", error: toError(thrown) };
  }
  const params = parseQuery(readTarget(request.url).query);
  const serializer = negotiate(params.vsn);
  if (serializer === undefined) return { status: 403, reason: "the version is not served" };
  const protocols = parseProtocols(headers["sec-websocket-protocol"]);
  if (protocols === undefined) return { status: 403, reason: "the token in Sec-WebSocket-Protocol is not base64" };
  // The WebSocket library must not see the entry with the token: it would refuse a "/" in it.
  if (protocols.phoenix) headers["sec-websocket-protocol"] = "phoenix";
  else delete headers["sec-websocket-protocol"];
  return { serializer, params, authToken: protocols.authToken ?? null };
}

/** The caller's W3C trace context, or null. */
export function traceOf({ headers }: IncomingMessage): TraceContext | null {
  return readTrace(headers.traceparent, headers.tracestate);
}
