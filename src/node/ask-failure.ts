import { type ErrorCode, errorCodes, GenApiError, isGenApiError, libraryError } from "../core/errors.ts";

/** Why an ask of a node was not answered, as plain data. */
export interface AskFailure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly message: string;
}

/** What a node is told of a failure: a GenApiError speaks to it, anything else does not. */
export function askFailure(thrown: unknown): AskFailure {
  if (!isGenApiError(thrown)) return { code: "internal", reason: "internal", message: "Internal Server Error" };
  return { code: thrown.code, reason: String(thrown.reason), message: String(thrown.message) };
}

/** The error that it stands for, whatever was sent. */
export function askError(data: unknown): GenApiError {
  const { code, reason, message } = (data ?? {}) as Partial<AskFailure>;
  if (code === undefined || !errorCodes.includes(code)) {
    return libraryError("internal", "The gateway failed in a way that cannot be read");
  }
  return new GenApiError(String(reason), String(message), { code });
}
