import { describe, GenApiError, genApiErrorIn, isErrorCode, libraryError, toError } from "../core/errors.ts";
import { internalError } from "../core/failures.ts";
import { errorText } from "../core/foreign/error-text.ts";
import { refusalIn } from "./arguments-refused.ts";

/**
 * A thrown value as plain data. Errors lose their class and most properties when a thread posts them, and any value can
 * be thrown, even one that cannot be cloned.
 */
export type ThrownData =
  | {
      /** The function threw a GenApiError, whose text is for the client. */
      readonly kind: "failed";
      readonly reason: string;
      readonly message: string;
      readonly canRetry: boolean;
      readonly retryable: boolean;
      readonly cause: ErrorData | null;
    }
  /** The function's own schema refused the arguments. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "internal"; readonly cause: ErrorData };

/** An Error as plain data. */
interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  readonly code: string | null;
  readonly cause: ErrorData | null;
}

// A chain of causes can be circular.
const causesKept = 4;

/**
 * The data of a user function's throw: a GenApiError, and what its schema says, are for the client, anything else is not.
 * Never throws.
 */
export function thrownData(thrown: unknown): ThrownData {
  const refusal = refusalIn(thrown);
  if (refusal !== null) return { kind: "refused", message: errorText(refusal) };
  const error = genApiErrorIn(thrown);
  if (error === null) return internalData(thrown);
  const { reason, message, canRetry, retryable, cause } = error;
  const causeData = cause === undefined ? null : errorData(toError(cause), causesKept);
  return { kind: "failed", reason, message, canRetry, retryable, cause: causeData };
}

/** The data of a failure that clients must not see, whatever its class. Never throws. */
export function internalData(thrown: unknown): ThrownData & { kind: "internal" } {
  return { kind: "internal", cause: errorData(toError(thrown), causesKept) };
}

/**
 * The error that the data describes: `failed`, `invalid_argument`, or `internal` with the original as its cause. Malformed data is
 * `internal` too: it comes from a place where user code runs.
 */
export function errorOf(data: ThrownData): GenApiError {
  try {
    return read(data);
  } catch (thrown) {
    return internalError(new Error("A thread reported a failure in an unreadable form", { cause: thrown }));
  }
}

function read(data: ThrownData): GenApiError {
  // User code can influence what a thread sends: it may be anything.
  if (data?.kind === "refused" && typeof data.message === "string") {
    return libraryError("invalid_argument", errorText(data.message));
  }
  if (typeof data !== "object" || data === null || (data.kind !== "failed" && !("cause" in data && data.cause))) {
    return internalError(new Error("A thread sent an unreadable error"));
  }
  if (data.kind === "internal") return internalError(rebuilt(data.cause));
  if (data.kind !== "failed" || typeof data.reason !== "string" || typeof data.message !== "string")
    throw new Error(`Unknown kind of failure: ${describe(data)}`);
  return new GenApiError(data.reason, data.message, {
    canRetry: data.canRetry,
    retryable: data.retryable,
    ...(data.cause === null ? {} : { cause: rebuilt(data.cause) }),
  });
}

/** @param error as {@link toError} returns it */
function errorData(error: Error, depth: number): ErrorData {
  const { name, message, stack = null } = error;
  const code = (error as { code?: unknown }).code;
  const cause = depth === 0 ? undefined : causeOf(error);
  return {
    name,
    message,
    stack,
    code: typeof code === "string" ? code : null,
    cause: cause === undefined ? null : errorData(toError(cause), depth - 1),
  };
}

function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch (thrown) {
    return thrown;
  }
}

/** @throws if it is not the data of an error */
function rebuilt(data: ErrorData, depth = causesKept): Error {
  const message = errorText(data.message);
  const options = data.cause === null || depth === 0 ? {} : { cause: rebuilt(data.cause, depth - 1) };
  if (data.name === "GenApiError" && isErrorCode(data.code)) return libraryError(data.code, message, options);
  const error = new Error(message, options);
  error.name = errorText(data.name);
  if (data.stack !== null) error.stack = errorText(data.stack);
  if (data.code !== null) Object.assign(error, { code: errorText(data.code) });
  return error;
}
