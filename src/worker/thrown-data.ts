import { describe, type ErrorCode, GenApiError, isGenApiError, libraryError, toError } from "../core/errors.ts";

/**
 * A thrown value as plain data. Errors lose their class and most of their properties when a thread posts them, and
 * anything can be thrown, also what cannot be cloned.
 */
export type ThrownData =
  | {
      /** The function threw a GenApiError: what it tells its client. */
      readonly kind: "failed";
      readonly reason: string;
      readonly message: string;
      readonly canRetry: boolean;
      readonly retryable: boolean;
      readonly cause: ErrorData | null;
    }
  | { readonly kind: "internal"; readonly cause: ErrorData };

/** An Error as plain data. */
interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  readonly code: string | null;
  readonly cause: ErrorData | null;
}

// A chain of causes can be a ring.
const causesKept = 4;

/** The data of what a user's function threw: a GenApiError speaks to the client, anything else does not. */
export function thrownData(thrown: unknown): ThrownData {
  try {
    if (isGenApiError(thrown)) {
      return {
        kind: "failed",
        reason: String(thrown.reason),
        message: String(thrown.message),
        canRetry: thrown.canRetry === true,
        retryable: thrown.retryable === true,
        cause: thrown.cause === undefined ? null : errorData(toError(thrown.cause), causesKept),
      };
    }
    return internalData(thrown);
  } catch (unreadable) {
    return internalData(new Error(`A value that cannot be read was thrown: ${String(toError(unreadable).message)}`));
  }
}

/** The data of a failure that is not the client's business, whatever its class. */
export function internalData(thrown: unknown): ThrownData & { kind: "internal" } {
  return { kind: "internal", cause: errorData(toError(thrown), causesKept) };
}

/**
 * The error that the data stands for: code `failed`, or `internal` with the original as its cause. Data of another form
 * is `internal` too: it comes from where the user's code runs.
 */
export function errorOf(data: ThrownData): GenApiError {
  try {
    return read(data);
  } catch (thrown) {
    return internalError(new Error("A thread told of a failure in a form that cannot be read", { cause: thrown }));
  }
}

function read(data: ThrownData): GenApiError {
  // What a thread sends is the user's code's doing too: it may be anything.
  if (typeof data !== "object" || data === null || (data.kind !== "failed" && !data.cause)) {
    return internalError(new Error("A thread sent an error that cannot be read"));
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

/** The error a client sees when a function failed in a way that it must not see. */
export function internalError(cause: Error): GenApiError {
  return libraryError("internal", "Internal Server Error", { retryable: true, cause });
}

function errorData(error: Error, depth: number): ErrorData {
  const { code } = error as { code?: unknown };
  return {
    name: String(error.name),
    message: String(error.message),
    stack: typeof error.stack === "string" ? error.stack : null,
    code: typeof code === "string" ? code : null,
    cause: error.cause === undefined || depth === 0 ? null : errorData(toError(error.cause), depth - 1),
  };
}

function rebuilt(data: ErrorData): Error {
  const options = data.cause === null ? {} : { cause: rebuilt(data.cause) };
  if (data.name === "GenApiError" && data.code !== null) {
    return libraryError(data.code as ErrorCode, data.message, options);
  }
  const error = new Error(data.message, options);
  error.name = data.name;
  if (data.stack !== null) error.stack = data.stack;
  if (data.code !== null) Object.assign(error, { code: data.code });
  return error;
}
