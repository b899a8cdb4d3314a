import { type ErrorCode, errorCodes, GenApiError, isGenApiError, libraryError } from "../../core/errors.ts";
import { internalMessage } from "../../core/failures.ts";

/** Why a node's ask was not answered, as plain data. */
export interface AskFailure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly message: string;
}

/** What a node learns of a failure: a GenApiError as it is, of any other error only that it happened. */
export function askFailure(thrown: unknown): AskFailure {
  if (!isGenApiError(thrown)) return { code: "internal", reason: "internal", message: internalMessage };
  return { code: thrown.code, reason: String(thrown.reason), message: String(thrown.message) };
}

/** The error that the data describes; it may be anything. */
export function askError(data: unknown): GenApiError {
  const { code, reason, message } = (data ?? {}) as Partial<AskFailure>;
  if (code === undefined || !errorCodes.includes(code)) {
    return libraryError("internal", "The gateway reported its failure in an unreadable form");
  }
  return new GenApiError(String(reason), String(message), { code });
}
