/**
 * Every way a request can fail, as clients see it in a Response's `error_code`, and every way a host can misuse the
 * library. The list is closed: docs/errors.md holds one entry for each, and a test compares the two.
 */
export const errorCodes = [
  // What a client can be answered.
  "invalid_request",
  "unauthenticated",
  "not_found",
  "disabled",
  "hook_rejected",
  "permission_denied",
  "rate_limited",
  "invalid_argument",
  "timeout",
  "cancelled",
  "unavailable",
  "retry_exhausted",
  "failed",
  "internal",
  // What a host program can be told.
  "invalid_option",
  "invalid_config",
  "listen_failed",
  "module_unreadable",
  "function_missing",
  "max_restarts",
  "already_started",
  "noproc",
  "stopped",
] as const;

/** One of the codes of the closed list {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

/** Whether it is a code of the closed list. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(value);
}

/** What beside reason and message a {@link GenApiError} carries. */
export interface GenApiErrorOptions {
  /** What kind of failure it is; the library's own errors name theirs. @default "failed": what functions throw */
  code?: ErrorCode;
  /** Tells the client that sending the request again may help. @default false */
  canRetry?: boolean;
  /** Lets the gateway itself send the call again, where the FunConfig has `retry`. @default false */
  retryable?: boolean;
  /** How long the client should wait, milliseconds; only with `rate_limited`. */
  retryAfterMs?: number;
  /** The error behind this one. */
  cause?: unknown;
}

// A global symbol: the same error is recognised whichever copy of the package, thread or node made it.
const brand = Symbol.for("gen-api.GenApiError");

/**
 * The one error class of gen-api.
 *
 * A function throws it to tell its client something: `new GenApiError("out_of_stock", "Nothing left of 4711")` is
 * answered with `error_code: "failed"`, `reason: "out_of_stock"` and the message. Anything else a function throws is
 * answered as `internal`, without its text.
 */
export class GenApiError extends Error {
  /** "GenApiError". */
  override readonly name = "GenApiError";
  /** What kind of failure it is; docs/errors.md has all codes. "failed" for what functions throw. */
  readonly code: ErrorCode;
  /** The word that its author gave; of the library's own errors the code. */
  readonly reason: string;
  /** Whether its client is told that sending the request again may help. */
  readonly canRetry: boolean;
  /** Whether the gateway itself may send the call again, where the FunConfig has `retry`. */
  readonly retryable: boolean;
  /** How long the client should wait, milliseconds; undefined where it was not said. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param reason a short machine-readable word of your own; for the library's errors it equals the code
   * @param message a full sentence for people
   */
  constructor(reason: string, message: string, options: GenApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? "failed";
    this.canRetry = options.canRetry ?? false;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `value` is a {@link GenApiError}, made by this copy of the package or by another. */
export function isGenApiError(value: unknown): value is GenApiError {
  return typeof value === "object" && value !== null && brand in value;
}

/** Makes one of the library's own errors: reason and code are the same word. */
export function libraryError(
  code: ErrorCode,
  message: string,
  options: Omit<GenApiErrorOptions, "code"> = {},
): GenApiError {
  return new GenApiError(code, message, { ...options, code });
}

/** Any thrown value as an Error, so that it has a message and can be a cause. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === "string" ? thrown : `A value that is no Error was thrown: ${describe(thrown)}`, {
    cause: thrown,
  });
}

/** An error's message, whatever its author did to that property. */
export function messageOf(error: Error): string {
  try {
    return String(error.message);
  } catch {
    return "an error whose message cannot be read";
  }
}

/** The type of a value in the words of JSON, for messages that must not repeat the value itself. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "object":
      return "map";
    case "undefined":
      return "nothing";
    default:
      return typeof value;
  }
}
