import { type Channel, channel } from "node:diagnostics_channel";
import type { TelemetryEvents } from "./events.ts";

/** The name of a telemetry event, without the prefix `gen_api.`. */
export type EventName = keyof TelemetryEvents;

/**
 * What handlers receive, and what is published on the `node:diagnostics_channel` named `gen_api.<event>`. For several
 * events it is a union, discriminated by `event`.
 */
export type TelemetryMessage<Name extends EventName = EventName> = {
  [Each in Name]: {
    readonly event: Each;
    /** Numbers. Durations are microseconds (`duration_us`), times milliseconds since 1970 (`system_time`). */
    readonly measurements: Readonly<TelemetryEvents[Each]["measurements"]>;
    /** Identity: which gateway, service, connection. */
    readonly metadata: Readonly<TelemetryEvents[Each]["metadata"]>;
  };
}[Name];

/** One event as its emitter holds it: created once per module, so that the hot path looks up nothing. */
export interface TelemetryEvent<Name extends EventName> {
  /** False while there are no listeners; check it before building measurements. */
  readonly active: boolean;
  emit(measurements: TelemetryEvents[Name]["measurements"], metadata: TelemetryEvents[Name]["metadata"]): void;
}

class DiagnosticsEvent<Name extends EventName> implements TelemetryEvent<Name> {
  readonly #name: Name;
  readonly #channel: Channel;

  constructor(name: Name) {
    this.#name = name;
    this.#channel = channel(channelOf(name));
  }

  get active(): boolean {
    return this.#channel.hasSubscribers;
  }

  emit(measurements: TelemetryEvents[Name]["measurements"], metadata: TelemetryEvents[Name]["metadata"]): void {
    if (this.#channel.hasSubscribers) this.#channel.publish({ event: this.#name, measurements, metadata });
  }
}

/** The name of the `node:diagnostics_channel` that an event is published on. */
export function channelOf(name: EventName): string {
  return `gen_api.${name}`;
}

/** The emitter of an event. */
export function telemetryEvent<Name extends EventName>(name: Name): TelemetryEvent<Name> {
  return new DiagnosticsEvent(name);
}
