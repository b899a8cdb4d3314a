import { toError } from "../core/errors.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { Failure } from "./failure.ts";

/** A request as telemetry names it. */
export type CallIdentity = TelemetryEvents["executor.request.start"]["metadata"];

const start = telemetryEvent("executor.request.start");
const stop = telemetryEvent("executor.request.stop");
const exception = telemetryEvent("executor.request.exception");
const retry = telemetryEvent("executor.retry");
const retryExhausted = telemetryEvent("executor.retry.exhausted");

/** What a request tells of itself. Ask `isActive` first: nothing is measured or made while nobody listens. */
export const callTelemetry = {
  get isActive(): boolean {
    return stop.active || start.active || exception.active || retry.active || retryExhausted.active;
  },

  started(identity: CallIdentity, systemTime: number): void {
    start.emit({ system_time: systemTime }, identity);
  },

  retried(identity: CallIdentity, attempt: number, delayMs: number, failure: Failure): void {
    retry.emit({ attempt, delay_ms: Math.round(delayMs) }, { ...identity, error_code: failure.code });
  },

  exhausted(identity: CallIdentity, attempts: number): void {
    retryExhausted.emit({ attempts }, identity);
  },

  /** Something of the gateway's own failed after the request had been answered. */
  fault(identity: CallIdentity, error: Error): void {
    exception.emit({ duration_us: 0 }, { ...identity, error });
  },

  /** @param failure null after a success */
  ended(identity: CallIdentity, durationMs: number, failure: Failure | null): void {
    const measurements = { duration_us: Math.round(durationMs * 1000) };
    if (failure?.code === "internal") {
      exception.emit(measurements, { ...identity, error: toError(failure.cause ?? failure.message) });
    }
    stop.emit(measurements, { ...identity, success: failure === null, error_code: failure?.code ?? null });
  },
};
