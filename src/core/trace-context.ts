import type { TraceContext } from "./request-info.ts";

// Version, trace id, parent id, flags; we ignore what later versions append.
const pattern = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?=-|$)/;
const length = 55;

// W3C asks to pass on at least this many characters.
const maxTracestate = 512;

/**
 * Parses the two headers of W3C Trace Context. As W3C requires, a malformed one counts as absent: the trace begins
 * anew; a tracestate that is malformed or longer than 512 characters is left out.
 */
export function readTrace(traceparent: unknown, tracestate: unknown): TraceContext | null {
  if (typeof traceparent !== "string" || !pattern.test(traceparent)) return null;
  if (traceparent.startsWith("00") && traceparent.length !== length) return null;
  const known = `00${traceparent.slice(2, length)}`;
  return isTracestate(tracestate) ? { traceparent: known, tracestate } : { traceparent: known };
}

function isTracestate(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxTracestate && /^[\x20-\x7e]+$/.test(value);
}
