import type { Tracer, TracerProvider } from "@opentelemetry/api";
import { libraryError, messageOf, toError } from "../core/errors.ts";
import { faultsError, shown, unknownKeysFault } from "../core/faults.ts";
import { hearPromises } from "../core/foreign/hear-promises.ts";
import { reading } from "../core/unreadable.ts";
import type { RequestTrace } from "../telemetry/request-trace.ts";
import type { TelemetryMessage } from "../telemetry/telemetry.ts";
import { telemetry } from "../telemetry/telemetry-api.ts";
import { openTelemetry } from "./open-telemetry.ts";
import { RequestSpans, type SpanSource } from "./request-spans.ts";
import type { Tracing } from "./tracing-option.ts";

export { activeTrace, contextOf } from "./open-telemetry.ts";
export type { Tracing } from "./tracing-option.ts";

/** The options of {@link tracing}. */
export interface TracingOptions {
  /**
   * Creates the tracer for the spans. @default the global provider of `@opentelemetry/api`, which an SDK may register
   * later
   */
  readonly tracerProvider?: TracerProvider;
  /**
   * For endpoints open to the public: each request then begins a trace of its own, with a link to the client's, so that
   * clients cannot decide where its spans belong or whether they are sampled. @default false: clients' traces continue
   */
  readonly publicEndpoint?: boolean;
}

const tracedEvents = [
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
 * OpenTelemetry spans: the value of the option `tracing` of gateways and service nodes. Each request has a span from
 * its frame to its answer, with one below it for each execution on a thread, the main thread or a service node, and for
 * each hook. A service node with this option continues the trace. Functions can continue it from `requestInfo.trace`.
 *
 * No attribute contains argument values. Unexpected errors of functions are recorded with their message.
 *
 * @throws GenApiError `invalid_option` where the package `@opentelemetry/api` is not installed, and for a wrong option
 */
export function tracing(options: TracingOptions = {}): Tracing {
  const { tracerProvider, publicEndpoint = false } = checked(options);
  const { trace } = openTelemetry();
  return {
    attach(program) {
      const tracer = tracerOf(tracerProvider ?? trace.getTracerProvider());
      const follower = new Follower(program, { tracer, isPublic: publicEndpoint });
      return telemetry.attachMany(tracedEvents, (message) => follower.hear(message));
    },
  };
}

const what = "Invalid options of tracing";

function checked(options: TracingOptions): TracingOptions {
  return reading("invalid_option", what, options, () => {
    const faults = faultsIn(options);
    if (faults.length > 0) throw faultsError("invalid_option", what, faults);
    return options;
  });
}

function faultsIn(options: TracingOptions): string[] {
  if (typeof options !== "object" || options === null) return [`must be an object, got ${shown(options)}`];
  const known = ["tracerProvider", "publicEndpoint"];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  const { tracerProvider, publicEndpoint } = options;
  const isProvider = tracerProvider === undefined || typeof Object(tracerProvider).getTracer === "function";
  const isFlag = publicEndpoint === undefined || typeof publicEndpoint === "boolean";
  return [
    ...(unknown.length === 0 ? [] : [unknownKeysFault(unknown, known)]),
    ...(isProvider ? [] : [`tracerProvider must be a TracerProvider of OpenTelemetry, got ${shown(tracerProvider)}`]),
    ...(isFlag ? [] : [`publicEndpoint must be true or false, got ${shown(publicEndpoint)}`]),
  ];
}

/** @throws GenApiError `invalid_option` where the provider has none */
function tracerOf(provider: TracerProvider): Tracer {
  let tracer: unknown;
  try {
    tracer = provider.getTracer("gen-api");
    if (typeof Object(tracer).startSpan === "function") return tracer as Tracer;
  } catch (thrown) {
    hearPromises(thrown);
    const cause = toError(thrown);
    throw libraryError("invalid_option", `${what}: tracerProvider.getTracer threw: ${messageOf(cause)}`, { cause });
  }
  hearPromises(tracer);
  throw faultsError("invalid_option", what, [`tracerProvider.getTracer must return a Tracer, got ${shown(tracer)}`]);
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

  hear(message: TelemetryMessage<(typeof tracedEvents)[number]>): void {
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

function tell(spans: RequestSpans, message: TelemetryMessage<(typeof tracedEvents)[number]>): void {
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
