import type { IncomingMessage } from "node:http";
import type { TraceContext } from "../core/request-info.ts";
import { readTrace } from "../core/trace-context.ts";
import { negotiate } from "../protocol/negotiate.ts";
import type { Serializer } from "../protocol/serializer.ts";
import { parseProtocols } from "./auth-token.ts";
import type { OriginRule } from "./origin.ts";
import { parseQuery, type QueryParams } from "./query-params.ts";

/** Why a client is not let in. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 429 | 500 | 503;
  /** For telemetry; the client gets the status alone. */
  readonly reason: string;
  readonly error?: Error;
}

/** A client that may be asked who it is. */
export interface Greeting {
  readonly serializer: Serializer;
  readonly params: QueryParams;
  readonly authToken: string | null;
}

/** What an upgrade request asks for, or why it must not: its origin first, then its version, then its token. */
export function readHandshake(request: IncomingMessage, isOriginAllowed: OriginRule): Greeting | Refusal {
  const { headers } = request;
  if (!isOriginAllowed(headers.origin, headers.host)) {
    return { status: 403, reason: "the origin is not allowed" };
  }
  const params = parseQuery(splitUrl(request).query);
  const serializer = negotiate(params.vsn);
  if (serializer === undefined) return { status: 403, reason: "the version is not served" };
  const protocols = parseProtocols(headers["sec-websocket-protocol"]);
  if (protocols === undefined) return { status: 403, reason: "the token in Sec-WebSocket-Protocol is not base64" };
  // The WebSocket library must not see the entry with the token: it would refuse a "/" in it.
  if (protocols.phoenix) headers["sec-websocket-protocol"] = "phoenix";
  else delete headers["sec-websocket-protocol"];
  return { serializer, params, authToken: protocols.authToken ?? null };
}

/** A request's path and query. */
export function splitUrl({ url = "/" }: IncomingMessage): { readonly path: string; readonly query: string } {
  const mark = url.indexOf("?");
  return mark === -1 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** The caller's W3C trace context, or null. */
export function traceOf({ headers }: IncomingMessage): TraceContext | null {
  return readTrace(headers.traceparent, headers.tracestate);
}
