import type { Clock } from "../core/clock.ts";
import { toError } from "../core/errors.ts";
import type { TraceContext } from "../core/request-info.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import { RequestTrace } from "../telemetry/request-trace.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";

const start = telemetryEvent("gateway.call.start");
const stop = telemetryEvent("gateway.call.stop");
const exception = telemetryEvent("gateway.call.exception");

/** A call that a node runs, as telemetry names it. */
export type ServedIdentity = TelemetryEvents["gateway.call.start"]["metadata"];

/** Whether anybody wants to hear of the calls that a node runs: nothing is made while nobody does. */
export function isServedTelemetryActive(): boolean {
  return start.active || stop.active || exception.active;
}

/** What telemetry hears of one call that a node runs: its start now, its end once. */
export class ServedTelemetry {
  readonly #clock: Clock;
  readonly #identity: ServedIdentity;
  readonly #startedAt: number;
  #isOver = false;

  constructor(identity: Omit<ServedIdentity, "trace">, trace: TraceContext | null, clock: Clock) {
    this.#clock = clock;
    this.#identity = { ...identity, trace: new RequestTrace(trace) };
    this.#startedAt = clock.now();
    start.emit({ system_time: clock.systemTime() }, this.#identity);
  }

  /** The trace that what the function does belongs to. */
  get trace(): TraceContext | null {
    return this.#identity.trace.current;
  }

  /** @param errorCode null after a success @param error what it failed with, where that is known */
  ended(errorCode: string | null, error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const duration_us = Math.round((this.#clock.now() - this.#startedAt) * 1000);
    if (errorCode === "internal" && error !== null) {
      // What the function threw is behind what its caller is told.
      exception.emit({ duration_us }, { ...this.#identity, error: toError(error.cause ?? error) });
    }
    stop.emit({ duration_us }, { ...this.#identity, error_code: errorCode, error });
  }
}
