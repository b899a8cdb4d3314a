import { type Channel, channel } from "node:diagnostics_channel";
import type { TelemetryEvents } from "./events.ts";

/** The name of a telemetry event, without the prefix `gen_api.`. */
export type EventName = keyof TelemetryEvents;

/** What a subscriber receives: `subscribe("gen_api.executor.request.stop", message => …)`. */
export interface TelemetryMessage<Name extends EventName = EventName> {
  readonly event: Name;
  /** Numbers. Durations are microseconds (`duration_us`), times milliseconds since 1970 (`system_time`). */
  readonly measurements: TelemetryEvents[Name]["measurements"];
  /** Identity: which gateway, service, connection. */
  readonly metadata: TelemetryEvents[Name]["metadata"];
}

/** One event as its emitter holds it: made once per module, so that the hot path looks nothing up. */
export interface TelemetryEvent<Name extends EventName> {
  /** False while nobody listens; check it before building measurements. */
  readonly active: boolean;
  emit(measurements: TelemetryEvents[Name]["measurements"], metadata: TelemetryEvents[Name]["metadata"]): void;
}

class DiagnosticsEvent<Name extends EventName> implements TelemetryEvent<Name> {
  readonly #name: Name;
  readonly #channel: Channel;

  constructor(name: Name) {
    this.#name = name;
    this.#channel = channel(`gen_api.${name}`);
  }

  get active(): boolean {
    return this.#channel.hasSubscribers;
  }

  emit(measurements: TelemetryEvents[Name]["measurements"], metadata: TelemetryEvents[Name]["metadata"]): void {
    if (this.#channel.hasSubscribers) this.#channel.publish({ event: this.#name, measurements, metadata });
  }
}

/** The emitter of an event, published on the `node:diagnostics_channel` named `gen_api.<name>`. */
export function telemetryEvent<Name extends EventName>(name: Name): TelemetryEvent<Name> {
  return new DiagnosticsEvent(name);
}
