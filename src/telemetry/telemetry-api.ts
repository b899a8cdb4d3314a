import { type Clock, systemClock } from "../core/clock.ts";
import { libraryError, toError } from "../core/errors.ts";
import { shown } from "../core/faults.ts";
import { Attachment, type TelemetryHandler } from "./attachment.ts";
import { eventNames, isEventName } from "./event-names.ts";
import { type EventName, telemetryEvent } from "./telemetry.ts";

/** The events whose names begin so. */
type Beginning<Prefix extends string> = Extract<EventName, `${Prefix}.${string}`>;

/** The events of service nodes: as gateways see them (`node.*`), and as nodes see gateways (`gateway.*`). */
type ClusterEvent = Beginning<"node"> | Beginning<"gateway">;

const start = telemetryEvent("span.start");
const stop = telemetryEvent("span.stop");
const exception = telemetryEvent("span.exception");

/**
 * Listens to what gateways and service nodes do. Events are the process's, whichever gateway or node emits them; their
 * metadata say which.
 *
 * Handlers run at once, in the middle of what they are told of, and must be quick. One that throws, or whose promise
 * rejects, is detached and reported by the event `telemetry.handler.exception`; nobody else notices. The same handler
 * may be attached several times.
 */
export class Telemetry {
  readonly #clock: Clock;
  readonly #attachments = new Map<unknown, Set<Attachment>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Attaches a handler to one event.
   * @param name without the prefix `gen_api.`
   * @returns how to detach it
   * @throws GenApiError `invalid_option` for a name that no event has, and for what is no function
   */
  attach<Name extends EventName>(name: Name, handler: TelemetryHandler<Name>): () => void {
    return this.attachMany([name], handler);
  }

  /** Attaches a handler to several events, as {@link attach}. */
  attachMany<Name extends EventName>(names: readonly Name[], handler: TelemetryHandler<Name>): () => void {
    for (const name of names) {
      if (!isEventName(name)) throw libraryError("invalid_option", `There is no telemetry event ${shown(name)}`);
    }
    if (typeof handler !== "function") {
      throw libraryError("invalid_option", `A telemetry handler must be a function, got ${shown(handler)}`);
    }
    // It is told of no other events than those of its type.
    const attachment = new Attachment(names, handler as TelemetryHandler<EventName>, (ended) => this.#forget(ended));
    const others = this.#attachments.get(handler);
    if (others === undefined) this.#attachments.set(handler, new Set([attachment]));
    else others.add(attachment);
    return () => attachment.detach();
  }

  /** Attaches a handler to every event. Everything that happens is measured then. @returns how to detach it */
  attachAll(handler: TelemetryHandler): () => void {
    return this.attachMany(eventNames, handler);
  }

  /** Attaches a handler to `executor.*`: requests, retries, resolvers. @returns how to detach it */
  attachExecutor(handler: TelemetryHandler<Beginning<"executor">>): () => void {
    return this.attachMany(beginning("executor"), handler);
  }

  /** Attaches a handler to `rate_limiter.*`. @returns how to detach it */
  attachRateLimiter(handler: TelemetryHandler<Beginning<"rate_limiter">>): () => void {
    return this.attachMany(beginning("rate_limiter"), handler);
  }

  /** Attaches a handler to `hook.*`. @returns how to detach it */
  attachHooks(handler: TelemetryHandler<Beginning<"hook">>): () => void {
    return this.attachMany(beginning("hook"), handler);
  }

  /** Attaches a handler to `worker_pool.*`: threads, their tasks, circuit breakers. @returns how to detach it */
  attachWorkerPool(handler: TelemetryHandler<Beginning<"worker_pool">>): () => void {
    return this.attachMany(beginning("worker_pool"), handler);
  }

  /** Attaches a handler to `config.*`: functions that come and go, pushes, pulls. @returns how to detach it */
  attachConfig(handler: TelemetryHandler<Beginning<"config">>): () => void {
    return this.attachMany(beginning("config"), handler);
  }

  /** Attaches a handler to `node.*` and `gateway.*`: who is connected to whom. @returns how to detach it */
  attachCluster(handler: TelemetryHandler<ClusterEvent>): () => void {
    return this.attachMany([...beginning("node"), ...beginning("gateway")], handler);
  }

  /** Detaches a handler from all that it is attached to. @returns false where it was attached to nothing */
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
   * Runs something of yours between the events `span.start` and `span.stop`, or `span.exception` when it throws or its
   * promise rejects.
   *
   * @param name what it is: "billing.charge"
   * @param attributes what of it is worth telling; the default logger leaves them out
   * @returns what `run` returns
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
      // Of any other thenable `then` is not ours to call: it may be what makes a query run.
      if (result instanceof Promise) {
        // Heard beside whoever waits for it: what is returned is what `run` returned, whoever listens.
        result.then(succeed, fail);
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

function beginning<Prefix extends string>(prefix: Prefix): Beginning<Prefix>[] {
  return eventNames.filter((name): name is Beginning<Prefix> => name.startsWith(`${prefix}.`));
}

/** Listens to every gateway and service node of this process: `runtime.telemetry` is the same. */
export const telemetry: Telemetry = new Telemetry(systemClock);
