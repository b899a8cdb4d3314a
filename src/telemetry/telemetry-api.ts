import { types } from "node:util";
import { libraryError, toError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { settle } from "../core/foreign/thenable.ts";
import { type Clock, systemClock } from "../core/time/clock.ts";
import { Attachment, type TelemetryHandler } from "./attachment.ts";
import { eventNames, isEventName } from "./event-names.ts";
import { type EventName, telemetryEvent } from "./telemetry.ts";

/** The first word of an event's name, such as `executor`, `rate_limiter`, `hook`, `worker_pool`, `config` or `node`. */
type EventGroup = EventName extends infer Name ? (Name extends `${infer First}.${string}` ? First : never) : never;

/** The name of an event without the prefix `gen_api.`, or all events of a group: `"executor.request.stop"`, `"executor.*"`. */
export type EventPattern = EventName | `${EventGroup}.*`;

/** The events that a pattern names. */
export type EventsOf<Pattern extends EventPattern> = Pattern extends `${infer First}.*`
  ? Extract<EventName, `${First}.${string}`>
  : Pattern extends EventName
    ? Pattern
    : never;

const start = telemetryEvent("span.start");
const stop = telemetryEvent("span.stop");
const exception = telemetryEvent("span.exception");

/**
 * Lets handlers listen to the events of gateways and service nodes. Events belong to the process, whichever gateway or
 * node emits them; their metadata name the emitter.
 *
 * Handlers run at once, in the middle of what they are told of, and must be quick. One that throws, or whose promise
 * rejects, is detached and reported by the event `telemetry.handler.exception`; nobody else notices. A handler may call
 * gateways, emit spans, attach and detach handlers, itself too; what it causes before it returns, it is not told of. The
 * same handler may be attached several times.
 */
export class Telemetry {
  readonly #clock: Clock;
  readonly #attachments = new Map<unknown, Set<Attachment>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Attaches a handler to one event, or to all events of a group.
   * @param pattern without the prefix `gen_api.`: `"executor.request.stop"`, or `"executor.*"`
   * @returns a function that detaches the handler
   * @throws GenApiError `invalid_option` for a pattern that names no event, or a handler that is not a function
   */
  attach<Pattern extends EventPattern>(pattern: Pattern, handler: TelemetryHandler<EventsOf<Pattern>>): () => void {
    return this.attachMany([pattern], handler);
  }

  /** Attaches a handler to several events or groups, as {@link attach}. */
  attachMany<Pattern extends EventPattern>(
    patterns: readonly Pattern[],
    handler: TelemetryHandler<EventsOf<Pattern>>,
  ): () => void {
    const names = [...new Set(patterns.flatMap(eventsOf))];
    if (typeof handler !== "function") {
      throw libraryError("invalid_option", `A telemetry handler must be a function, got ${shown(handler)}`);
    }
    // It receives only events of its type.
    const attachment = new Attachment(names, handler as TelemetryHandler<EventName>, (ended) => this.#forget(ended));
    const others = this.#attachments.get(handler);
    if (others === undefined) this.#attachments.set(handler, new Set([attachment]));
    else others.add(attachment);
    return () => attachment.detach();
  }

  /**
   * Attaches a handler to every event, which also makes the gateway measure everything.
   * @returns a function that detaches the handler
   */
  attachAll(handler: TelemetryHandler): () => void {
    return this.attachMany(eventNames, handler);
  }

  /**
   * Detaches a handler from all its events.
   * @returns false if it was attached to none
   */
  detach<Name extends EventName>(handler: TelemetryHandler<Name>): boolean {
    const attachments = this.#attachments.get(handler);
    for (const attachment of [...(attachments ?? [])]) attachment.detach();
    return attachments !== undefined;
  }

  /** The names of all events, without the prefix `gen_api.`. */
  listEvents(): readonly EventName[] {
    return eventNames;
  }

  /**
   * Runs a function of yours between the events `span.start` and `span.stop`, or `span.exception` if it throws or its
   * promise rejects.
   *
   * @param name for example "billing.charge"
   * @param attributes details to report; the default logger leaves them out
   * @returns the result of `run`
   * @throws what `run` throws
   */
  span<Result>(name: string, attributes: Readonly<Record<string, unknown>>, run: () => Result): Result {
    if (!start.active && !stop.active && !exception.active) return run();
    const identity = { span: name, attributes };
    const startedAt = this.#clock.now();
    const duration = () => ({ duration_us: Math.round((this.#clock.now() - startedAt) * 1_000) });
    const succeed = () => stop.emit(duration(), identity);
    const fail = (thrown: unknown) => exception.emit(duration(), { ...identity, error: toError(thrown) });
    start.emit({ system_time: this.#clock.systemTime() }, identity);
    let result: Result;
    try {
      result = run();
      // We must not call `then` of any other thenable: that may be what runs a query.
      if (types.isPromise(result)) {
        // Only observed: the caller gets exactly what `run` returned.
        settle(result, succeed, fail);
        return result;
      }
    } catch (thrown) {
      fail(thrown);
      throw thrown;
    }
    succeed();
    return result;
  }

  #forget(attachment: Attachment): void {
    const attachments = this.#attachments.get(attachment.handler);
    attachments?.delete(attachment);
    if (attachments?.size === 0) this.#attachments.delete(attachment.handler);
  }
}

/** @throws GenApiError `invalid_option` */
function eventsOf(pattern: EventPattern): readonly EventName[] {
  if (isEventName(pattern)) return [pattern];
  const group = typeof pattern === "string" && pattern.endsWith(".*") ? pattern.slice(0, -1) : null;
  const names = group === null ? [] : eventNames.filter((name) => name.startsWith(group));
  if (names.length > 0) return names;
  throw libraryError(
    "invalid_option",
    `There is no telemetry event ${shown(pattern)}; telemetry.listEvents() lists the events, "executor.*" names a group`,
  );
}

/** Listens to every gateway and service node of this process. */
export const telemetry: Telemetry = new Telemetry(systemClock);
