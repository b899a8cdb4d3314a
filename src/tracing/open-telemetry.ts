import type { Context, Span, SpanContext } from "@opentelemetry/api";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { requireOptional } from "../core/optional-package.ts";
import type { TraceContext } from "../core/request-info.ts";
import { readTrace } from "../core/trace-context.ts";

type Api = typeof import("@opentelemetry/api");

let loaded: Api | undefined;

/**
 * The optional package `@opentelemetry/api`.
 * @throws GenApiError `invalid_option` if it is not installed
 */
export function openTelemetry(): Api {
  loaded ??= requireOptional<Api>("@opentelemetry/api", "gen-api/tracing");
  return loaded;
}

/**
 * The OpenTelemetry context of a function's trace, for your own spans: `tracer.startSpan("query", {},
 * contextOf(info.trace))`, or `context.with(contextOf(info.trace), …)`. It works in the host program, in its worker
 * threads and on service nodes.
 *
 * @returns the root context for null and for an invalid trace context
 * @throws GenApiError `invalid_option` if `@opentelemetry/api` is not installed
 */
export function contextOf(trace: TraceContext | null): Context {
  const { ROOT_CONTEXT, trace: api } = openTelemetry();
  const spanContext = spanContextOf(trace);
  return spanContext === null ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, spanContext);
}

/**
 * The host program's active trace, for its own requests: `gateway.call({ …, trace: activeTrace() })`.
 *
 * @returns null outside of spans
 * @throws GenApiError `invalid_option` if `@opentelemetry/api` is not installed
 */
export function activeTrace(): TraceContext | null {
  const span = openTelemetry().trace.getActiveSpan();
  return span === undefined ? null : traceOf(span);
}

/** The parent span that a W3C trace context describes; null for none. */
export function spanContextOf(trace: TraceContext | null): SpanContext | null {
  // Nodes and host programs set it too, and must keep to the rules for headers.
  const read = trace === null ? null : readTrace(trace.traceparent, trace.tracestate);
  if (read === null) return null;
  const [, traceId = "", spanId = "", flags = ""] = read.traceparent.split("-");
  const { createTraceState, TraceFlags } = openTelemetry();
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const spanContext = { traceId, spanId, traceFlags, isRemote: true };
  return read.tracestate === undefined
    ? spanContext
    : { ...spanContext, traceState: createTraceState(read.tracestate) };
}

/** The trace context to pass on for a span; null for a span without a trace, because no SDK is set up. */
export function traceOf(span: Span): TraceContext | null {
  const spanContext = span.spanContext();
  if (!openTelemetry().isSpanContextValid(spanContext)) {
    hearPromises(spanContext);
    return null;
  }
  const { traceId, spanId, traceFlags, traceState } = spanContext;
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  const tracestate = traceState?.serialize() ?? "";
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}
