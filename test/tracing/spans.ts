import { type Span, type SpanContext, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { type TracingOptions, tracing } from "gen-api/tracing";
import { expect } from "vitest";

/** A span as tests look at it, from this process or another. */
export type Seen = Pick<ReadableSpan, "name" | "kind" | "attributes" | "status" | "events" | "parentSpanContext"> & {
  readonly context: SpanContext;
};

/** An OpenTelemetry SDK that keeps the spans that ended, and the adapter that makes them. */
export function openTracing(options: TracingOptions = {}) {
  const exporter = new InMemorySpanExporter();
  const started: Span[] = [];
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(exporter),
      {
        onStart: (span) => void started.push(span),
        onEnd: () => undefined,
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ],
  });
  return {
    tracing: tracing({ tracerProvider, ...options }),
    /** The spans that ended. Every one that was started has. */
    async spans(): Promise<Seen[]> {
      await tracerProvider.forceFlush();
      expect(started.filter((span) => span.isRecording())).toEqual([]);
      return exporter.getFinishedSpans().map((span) => Object.assign(span, { context: span.spanContext() }));
    },
  };
}

/** The one span of this name. */
export function named(spans: readonly Seen[], name: string): Seen {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1) throw new Error(`${found.length} spans ${name} among: ${spans.map((each) => each.name)}`);
  return found[0] as Seen;
}

/** What W3C Trace Context says of a span. */
export function traceparentOf({ context: { traceId, spanId, traceFlags } }: Seen): string {
  return `00-${traceId}-${spanId}-0${traceFlags}`;
}

/** Whether a span is another's child. */
export function expectChild(child: Seen, parent: Seen): void {
  expect(child.context.traceId).toBe(parent.context.traceId);
  expect(child.parentSpanContext?.spanId).toBe(parent.context.spanId);
}

export { SpanKind, SpanStatusCode };
