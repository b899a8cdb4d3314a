import type { Attributes, Span, SpanKind, Tracer } from "@opentelemetry/api";
import { shown } from "../core/faults.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import type { RequestTrace } from "../telemetry/request-trace.ts";
import { bounded, boundedError } from "./bounded.ts";
import { contextOf, openTelemetry, spanContextOf, traceOf } from "./open-telemetry.ts";

type Metadata<Name extends keyof TelemetryEvents> = TelemetryEvents[Name]["metadata"];

// Errors of the server; clients' mistakes are not errors of its spans.
const serverErrors: ReadonlySet<string> = new Set(["internal", "timeout", "unavailable", "retry_exhausted"]);

/** The tracer, and how to treat clients' contexts. */
export interface SpanSource {
  readonly tracer: Tracer;
  /** Whether clients' contexts are linked rather than continued. */
  readonly isPublic: boolean;
}

/** The spans of one request: its own, and that of its current work. */
export class RequestSpans {
  readonly #tracer: Tracer;
  readonly #trace: RequestTrace;
  readonly #span: Span;
  #child: Span | null = null;

  /** A request that a gateway has begun to answer. */
  static ofGateway(metadata: Metadata<"executor.request.start">, source: SpanSource): RequestSpans {
    const { gateway, request_id, trace } = metadata;
    // Its function is not known yet, and span names from clients would be unbounded.
    return new RequestSpans("gen_api request", trace, source, {
      ...rpcAttributes(metadata),
      "gen_api.gateway": gateway,
      "gen_api.request_id": bounded(request_id),
    });
  }

  /**
   * A call that a service node has begun to run. Gateways have proven their identity, so their traces are continued.
   */
  static ofNode(metadata: Metadata<"gateway.call.start">, { tracer }: SpanSource): RequestSpans {
    const { node, gateway, request_id, function: name, trace } = metadata;
    return new RequestSpans(
      spanNameOf(metadata),
      trace,
      { tracer, isPublic: false },
      {
        ...rpcAttributes(metadata),
        "gen_api.gateway": gateway,
        "gen_api.node": node,
        "gen_api.function": bounded(name),
        ...(request_id !== null && { "gen_api.request_id": bounded(request_id) }),
      },
    );
  }

  private constructor(name: string, trace: RequestTrace, { tracer, isPublic }: SpanSource, attributes: Attributes) {
    const { SpanKind: kinds } = openTelemetry();
    const parent = spanContextOf(trace.parent);
    const link = isPublic && parent !== null ? { links: [{ context: parent }] } : {};
    this.#tracer = tracer;
    this.#trace = trace;
    this.#span = started(
      tracer.startSpan(name, { kind: kinds.SERVER, attributes, ...link }, contextOf(isPublic ? null : trace.parent)),
    );
    this.#passOn(this.#span);
  }

  /** Its function, or its permission callback, begins to run. */
  attemptStarted(metadata: Metadata<"executor.attempt.start">): void {
    const { SpanKind: kinds } = openTelemetry();
    const { called, where, node, retries } = metadata;
    const name = `${called === "function" ? "execute" : "permission"} ${spanNameOf(metadata)}`;
    this.#startChild(name, where === "node" ? kinds.CLIENT : kinds.INTERNAL, {
      ...rpcAttributes(metadata),
      "gen_api.where": where,
      ...(node !== null && { "gen_api.node": node }),
      ...(retries > 0 && { "gen_api.retries": retries }),
    });
  }

  /** @param errorCode null after a success */
  attemptStopped(errorCode: string | null): void {
    this.#endChild(errorCode);
  }

  /** @param hook "beforeExecute" or "afterExecute", and the function's name */
  hookStarted(hook: string): void {
    this.#startChild(hook, openTelemetry().SpanKind.INTERNAL, {});
  }

  /** @param error null if it did not fail */
  hookStopped(error: Error | null): void {
    if (error !== null) this.#child?.recordException(boundedError(error));
    this.#endChild(error === null ? null : "hook_failed");
  }

  /** Another attempt follows. */
  retried(attempt: number, delayMs: number, errorCode: string): void {
    this.#span.addEvent("retry", { attempt, delay_ms: delayMs, "error.type": errorCode });
  }

  failed(error: Error): void {
    this.#span.recordException(boundedError(error));
  }

  /** The gateway has answered. */
  answered(metadata: Metadata<"executor.request.stop">): void {
    const { response_type, version, node, error_code } = metadata;
    if (response_type !== null) {
      this.#span.updateName(spanNameOf(metadata)).setAttribute("gen_api.response_type", response_type);
      if (version !== null) this.#span.setAttribute("gen_api.version", bounded(version));
    }
    if (node !== null) this.#span.setAttribute("gen_api.node", node);
    this.#end(error_code, error_code !== null && serverErrors.has(error_code));
  }

  /** The node's function has ended. */
  ended(errorCode: string | null, error: Error | null): void {
    if (errorCode === "internal" && error !== null) this.failed(error.cause instanceof Error ? error.cause : error);
    this.#end(errorCode, errorCode !== null);
  }

  #startChild(name: string, kind: SpanKind, attributes: Attributes): void {
    const { ROOT_CONTEXT, trace } = openTelemetry();
    this.#child = started(this.#tracer.startSpan(name, { kind, attributes }, trace.setSpan(ROOT_CONTEXT, this.#span)));
    this.#passOn(this.#child);
  }

  #endChild(errorCode: string | null): void {
    if (this.#child === null) return;
    if (errorCode !== null) fail(this.#child, errorCode, true);
    hearPromises(this.#child.end());
    this.#child = null;
    this.#passOn(this.#span);
  }

  #end(errorCode: string | null, isError: boolean): void {
    // An attempt that was cancelled reports no end of its own.
    this.#endChild(errorCode);
    if (errorCode !== null) fail(this.#span, errorCode, isError);
    hearPromises(this.#span.end());
  }

  /** Work that begins from now on continues the trace from this span; without an SDK, from the received context. */
  #passOn(span: Span): void {
    this.#trace.current = traceOf(span) ?? this.#trace.parent;
  }
}

/** @throws TypeError for what is no span; where it is a promise, its rejection ends nothing */
function started(span: Span): Span {
  if (typeof Object(span).spanContext === "function") return span;
  hearPromises(span);
  throw new TypeError(`startSpan of the tracer must return a Span, got ${shown(span)}`);
}

function fail(span: Span, errorCode: string, isError: boolean): void {
  span.setAttribute("error.type", errorCode);
  if (isError) span.setStatus({ code: openTelemetry().SpanStatusCode.ERROR, message: errorCode });
}

function spanNameOf({ service, request_type }: { service: string; request_type: string }): string {
  return bounded(`${service}/${request_type}`);
}

function rpcAttributes({ service, request_type }: { service: string; request_type: string }): Attributes {
  return { "rpc.system": "gen_api", "rpc.service": bounded(service), "rpc.method": bounded(request_type) };
}
