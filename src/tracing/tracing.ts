import type { TracerProvider } from "@opentelemetry/api";
import type { RequestTrace } from "../telemetry/request-trace.ts";
import type { TelemetryMessage } from "../telemetry/telemetry.ts";
import { telemetry } from "../telemetry/telemetry-api.ts";
import { openTelemetry } from "./open-telemetry.ts";
import { RequestSpans, type SpanSource } from "./request-spans.ts";
import type { Tracing } from "./tracing-option.ts";

export { activeTrace, contextOf } from "./open-telemetry.ts";
export type { Tracing } from "./tracing-option.ts";

/** How requests are traced. */
export interface TracingOptions {
  /** Where spans go. @default the global one of `@opentelemetry/api`, that an SDK registers, even later than this */
  readonly tracerProvider?: TracerProvider;
  /**
   * Whether strangers send requests: each then begins a trace of its own, with a link to the client's, so that a client
   * decides neither where its spans belong nor whether they are sampled. @default false: clients' traces go on
   */
  readonly publicEndpoint?: boolean;
}

const names = [
  "executor.request.start",
  "executor.request.stop",
  "executor.request.exception",
  "executor.retry",
  "executor.attempt.start",
  "executor.attempt.stop",
  "hook.before.start",
  "hook.before.stop",
  "hook.before.exception",
  "hook.after.start",
  "hook.after.stop",
  "hook.after.exception",
  "gateway.call.start",
  "gateway.call.stop",
] as const;

/**
 * OpenTelemetry spans, as the option `tracing` of gateways and service nodes: one for each request, from its frame to its
 * answer, with one below for each execution on a thread, the main thread or a service node, and for each hook. A service
 * node with this option continues the trace. Functions find where it goes on in `requestInfo.trace`.
 *
 * Argument values are in no attribute. What functions throw unexpectedly is recorded with its message.
 *
 * @throws GenApiError `invalid_option` where the package `@opentelemetry/api` is not installed
 */
export function tracing({ tracerProvider, publicEndpoint = false }: TracingOptions = {}): Tracing {
  const { trace } = openTelemetry();
  return {
    attach(program) {
      const tracer = (tracerProvider ?? trace.getTracerProvider()).getTracer("gen-api");
      const follower = new Follower(program, { tracer, isPublic: publicEndpoint });
      return telemetry.attachMany(names, (message) => follower.hear(message));
    },
  };
}

/** Follows the requests of one gateway, or the calls of one service node. */
class Follower {
  readonly #program: string;
  readonly #source: SpanSource;
  readonly #requests = new WeakMap<RequestTrace, RequestSpans>();

  constructor(program: string, source: SpanSource) {
    this.#program = program;
    this.#source = source;
  }

  hear(message: TelemetryMessage<(typeof names)[number]>): void {
    const { trace } = message.metadata;
    switch (message.event) {
      case "executor.request.start":
        if (message.metadata.gateway !== this.#program) return;
        this.#requests.set(trace, RequestSpans.ofGateway(message.metadata, this.#source));
        return;
      case "gateway.call.start":
        if (message.metadata.node !== this.#program) return;
        this.#requests.set(trace, RequestSpans.ofNode(message.metadata, this.#source));
        return;
      default: {
        const spans = this.#requests.get(trace);
        if (spans !== undefined) tell(spans, message);
      }
    }
  }
}

function tell(spans: RequestSpans, message: TelemetryMessage<(typeof names)[number]>): void {
  switch (message.event) {
    case "executor.request.stop":
      spans.answered(message.metadata);
      break;
    case "executor.request.exception":
      spans.failed(message.metadata.error);
      break;
    case "executor.retry": {
      const { attempt, delay_ms } = message.measurements;
      spans.retried(attempt, delay_ms, message.metadata.error_code);
      break;
    }
    case "executor.attempt.start":
      spans.attemptStarted(message.metadata);
      break;
    case "executor.attempt.stop":
      spans.attemptStopped(message.metadata.error_code);
      break;
    case "hook.before.start":
      spans.hookStarted(`beforeExecute ${message.metadata.hook}`);
      break;
    case "hook.after.start":
      spans.hookStarted(`afterExecute ${message.metadata.hook}`);
      break;
    case "hook.before.stop":
    case "hook.after.stop":
      spans.hookStopped(null);
      break;
    case "hook.before.exception":
    case "hook.after.exception":
      spans.hookStopped(message.metadata.error);
      break;
    case "gateway.call.stop":
      spans.ended(message.metadata.error_code, message.metadata.error);
  }
}
