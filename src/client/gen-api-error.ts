import type { Response } from "../call/request/response.ts";
import type { ErrorCode } from "../core/errors.ts";

/** The further fields of a client's {@link GenApiError}. */
export interface FailureFields {
  /** A word for programs. @default the code */
  readonly reason?: string | undefined;
  /** Whether calling again may help. @default false */
  readonly canRetry?: boolean | undefined;
  /** How long to wait before, milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The request that failed. */
  readonly requestId?: string | undefined;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** Why a call failed. `isGenApiError` of `gen-api` recognises it too. */
export class GenApiError extends Error {
  /** "GenApiError". */
  override readonly name = "GenApiError";
  /** The kind of failure; docs/errors.md lists all codes. */
  readonly code: ErrorCode;
  /** The word that the function chose for its failure; for all other failures the code, or why there is no connection. */
  readonly reason: string;
  /** Whether calling again may help. */
  readonly canRetry: boolean;
  /** How long to wait before calling again, milliseconds; undefined if nobody said. */
  readonly retryAfterMs: number | undefined;
  /** The id of the request, as the gateway's logs and traces have it; undefined if none was made. */
  readonly requestId: string | undefined;

  /** @param message a sentence for people */
  constructor(code: ErrorCode, message: string, fields: FailureFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.reason = fields.reason ?? code;
    this.canRetry = fields.canRetry ?? false;
    this.retryAfterMs = fields.retryAfterMs;
    this.requestId = fields.requestId;
    // The mark of the error class on the gateway's side.
    Object.defineProperty(this, Symbol.for("gen-api.GenApiError"), { value: true });
  }
}

/** The error that a failed Response tells. */
export function errorOfResponse(response: Response): GenApiError {
  return new GenApiError((response.error_code ?? "internal") as ErrorCode, response.error ?? "", {
    reason: response.reason,
    canRetry: response.can_retry,
    retryAfterMs: response.retry_after_ms,
    requestId: response.request_id,
  });
}

/**
 * There is no connection, or none any more.
 * @param reason why, in a word
 */
export function disconnected(message: string, reason?: string, canRetry = true, cause?: unknown): GenApiError {
  return new GenApiError("disconnected", message, { reason, canRetry, cause });
}
