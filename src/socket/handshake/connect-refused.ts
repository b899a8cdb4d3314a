import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";

/** The further fields of a {@link ConnectRefused}. */
export interface ConnectRefusedOptions {
  /**
   * How long the client should wait, milliseconds: sent as `Retry-After`, in whole seconds, rounded up. @default not
   * sent
   */
  readonly retryAfterMs?: number;
  /** For telemetry; clients do not see it. @default "connect refused it" */
  readonly reason?: string;
}

// A global symbol, so that we recognise an instance of any copy of the package.
const brand = Symbol.for("gen-api.ConnectRefused");

/**
 * Thrown by `connect` to refuse a client with a certain status: `throw new ConnectRefused(401)`. The answer has no
 * body. Browsers hide the status from their pages; other programs see it.
 */
export class ConnectRefused extends Error {
  /** "ConnectRefused". */
  override readonly name = "ConnectRefused";
  /** The HTTP status, 400 to 599. */
  readonly status: number;
  /** How long the client should wait, milliseconds; undefined if not given. */
  readonly retryAfterMs: number | undefined;
  /** For telemetry. */
  readonly reason: string;

  /**
   * @param status the HTTP status, 400 to 599
   * @throws GenApiError `invalid_option` for an invalid status, time or reason
   */
  constructor(status: number, { retryAfterMs, reason = "connect refused it" }: ConnectRefusedOptions = {}) {
    super(`The client is refused with ${shown(status)}: ${typeof reason === "string" ? reason : shown(reason)}`);
    hearPromises(status);
    hearPromises(retryAfterMs);
    hearPromises(reason);
    if (!isStatus(status)) throw wrong("status", "a whole number from 400 to 599", status);
    if (retryAfterMs !== undefined && !isTime(retryAfterMs)) {
      throw wrong("retryAfterMs", "milliseconds from 0 on, finite", retryAfterMs);
    }
    if (typeof reason !== "string") throw wrong("reason", "a string", reason);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.reason = reason;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `value` is a {@link ConnectRefused} whose fields are still valid. Throws if it cannot be inspected. */
export function isConnectRefused(value: unknown): value is ConnectRefused {
  if (typeof value !== "object" || value === null || !(brand in value)) return false;
  const { status, retryAfterMs, reason } = value as unknown as ConnectRefused;
  return isStatus(status) && (retryAfterMs === undefined || isTime(retryAfterMs)) && typeof reason === "string";
}

function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function wrong(field: string, allowed: string, value: unknown) {
  return libraryError("invalid_option", `${field} of ConnectRefused must be ${allowed}, got ${shown(value)}`);
}
