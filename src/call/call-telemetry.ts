import { toError } from "../core/errors.ts";
import type { TelemetryEvents } from "../telemetry/events.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { Failure } from "./request/failure.ts";

/** A request as telemetry names it. */
export type CallIdentity = TelemetryEvents["executor.request.start"]["metadata"];

const start = telemetryEvent("executor.request.start");
const stop = telemetryEvent("executor.request.stop");
const exception = telemetryEvent("executor.request.exception");
const attemptStart = telemetryEvent("executor.attempt.start");
const attemptStop = telemetryEvent("executor.attempt.stop");
const retry = telemetryEvent("executor.retry");
const retryExhausted = telemetryEvent("executor.retry.exhausted");

/** One execution of a request's function, or of its permission callback. */
export type AttemptIdentity = TelemetryEvents["executor.attempt.start"]["metadata"];

/**
 * The telemetry of requests. Metadata are built field by field: spreading an identity costs more than the whole call
 * does. Check `isActive` first: nothing is measured or created without listeners.
 */
export const callTelemetry = {
  get isActive(): boolean {
    return (
      stop.active ||
      start.active ||
      exception.active ||
      retry.active ||
      retryExhausted.active ||
      callTelemetry.isAttemptActive
    );
  },

  /** As `isActive`, for the start event: counting ends needs no names yet. */
  get isStartActive(): boolean {
    return start.active;
  },

  /** As `isActive`, for the end event. */
  get isEndActive(): boolean {
    return stop.active;
  },

  /** As `isActive`, for faults of code that it ran. */
  get isFaultActive(): boolean {
    return exception.active;
  },

  /** As `isActive`, for the events of attempts. */
  get isAttemptActive(): boolean {
    return attemptStart.active || attemptStop.active;
  },

  started(identity: CallIdentity, systemTime: number): void {
    start.emit({ system_time: systemTime }, identity);
  },

  attemptStarted(identity: AttemptIdentity, systemTime: number): void {
    attemptStart.emit({ system_time: systemTime }, identity);
  },

  /** @param failure null after a success */
  attemptEnded(identity: AttemptIdentity, durationMs: number, failure: Failure | null): void {
    const { gateway, request_id, service, request_type, version, response_type, user_id, trace } = identity;
    const { called, where, node, retries } = identity;
    const error_code = failure?.code ?? null;
    attemptStop.emit(
      { duration_us: Math.round(durationMs * 1000) },
      // biome-ignore format: as the types have it
      { gateway, request_id, service, request_type, version, response_type, user_id, trace, called, where, node, retries, error_code },
    );
  },

  retried(identity: CallIdentity, attempt: number, delayMs: number, failure: Failure): void {
    retry.emit({ attempt, delay_ms: Math.round(delayMs) }, { ...identity, error_code: failure.code });
  },

  exhausted(identity: CallIdentity, attempts: number): void {
    retryExhausted.emit({ attempts }, identity);
  },

  /** User code, or the gateway itself, failed, whatever the request's outcome. */
  fault(identity: CallIdentity, node: string | null, durationMs: number, failure: Failure): void {
    const error = toError(failure.cause ?? failure.message);
    exception.emit({ duration_us: Math.round(durationMs * 1000) }, { ...identity, node, error });
  },

  /**
   * @param node see `executor.request.stop`
   * @param failure null after a success
   */
  ended(identity: CallIdentity, node: string | null, durationMs: number, failure: Failure | null): void {
    const { gateway, request_id, service, request_type, version, response_type, user_id, trace } = identity;
    const success = failure === null;
    const error_code = failure?.code ?? null;
    stop.emit(
      { duration_us: Math.round(durationMs * 1000) },
      // biome-ignore format: as the types have it
      { gateway, request_id, service, request_type, version, response_type, user_id, trace, node, success, error_code },
    );
  },
};
