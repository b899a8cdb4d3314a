import { toError } from "../../core/errors.ts";
import type { TraceContext } from "../../core/request-info.ts";
import type { Clock } from "../../core/time/clock.ts";
import type { TelemetryEvents } from "../../telemetry/events.ts";
import { RequestTrace } from "../../telemetry/request-trace.ts";
import { telemetryEvent } from "../../telemetry/telemetry.ts";

const start = telemetryEvent("gateway.call.start");
const stop = telemetryEvent("gateway.call.stop");
const exception = telemetryEvent("gateway.call.exception");

/** A call that a node runs, as telemetry names it. */
export type ServedIdentity = TelemetryEvents["gateway.call.start"]["metadata"];

/** Whether the telemetry of calls on nodes has listeners: otherwise nothing is created for it. */
export function isServedTelemetryActive(): boolean {
  return start.active || stop.active || exception.active;
}

/** The telemetry of one call that a node runs: its start at once, its end once. */
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

  /** The trace for the function's own work. */
  get trace(): TraceContext | null {
    return this.#identity.trace.current;
  }

  /**
   * @param errorCode null after a success
   * @param error the failure, if known
   */
  ended(errorCode: string | null, error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const duration_us = Math.round((this.#clock.now() - this.#startedAt) * 1000);
    if (errorCode === "internal" && error !== null) {
      // The function's own error is the cause of the error that its caller gets.
      exception.emit({ duration_us }, { ...this.#identity, error: toError(error.cause ?? error) });
    }
    stop.emit({ duration_us }, { ...this.#identity, error_code: errorCode, error });
  }
}
