import { types } from "node:util";
import { errorText } from "./foreign/error-text.ts";
import { hearPromises } from "./foreign/hear-promises.ts";

/**
 * Every way in which a request can fail, as clients see it in a Response's `error_code`, and every way in which a host
 * can misuse the library. The list is closed: docs/errors.md has one entry for each code, and a test compares the two.
 */
export const errorCodes = [
  // Codes that clients receive.
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
  // What gen-api/client says itself: no Response has it.
  "disconnected",
  // Codes that host programs receive.
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

/** Whether `value` is a code of the closed list. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(value);
}

/** The further fields of a {@link GenApiError}. */
export interface GenApiErrorOptions {
  /** The kind of failure. The library's own errors set it. @default "failed": an error of a function */
  code?: ErrorCode;
  /** Whether the client should be told that sending the request again may help. @default false */
  canRetry?: boolean;
  /** Whether the gateway itself may repeat the call, if the FunConfig has `retry`. @default false */
  retryable?: boolean;
  /** How long the client should wait, milliseconds; only with `rate_limited`. */
  retryAfterMs?: number;
  /** The error behind this one. */
  cause?: unknown;
}

// A global symbol, so that we recognise an error of any copy of the package, thread or node.
const brand = Symbol.for("gen-api.GenApiError");

/**
 * The one error class of gen-api.
 *
 * A function throws it to inform its client: `new GenApiError("out_of_stock", "Nothing left of 4711")` is answered with
 * `error_code: "failed"`, `reason: "out_of_stock"` and the message. Any other error of a function is answered as
 * `internal`, without its text.
 */
export class GenApiError extends Error {
  /** "GenApiError". */
  override readonly name = "GenApiError";
  /** The kind of failure; docs/errors.md lists all codes. "failed" for errors of functions. */
  readonly code: ErrorCode;
  /** The word its author gave; for the library's own errors the code. */
  readonly reason: string;
  /** Whether the client learns that sending the request again may help. */
  readonly canRetry: boolean;
  /** For errors of functions: whether the gateway itself may repeat the call, if the FunConfig has `retry`. */
  readonly retryable: boolean;
  /** How long the client should wait, milliseconds; undefined if the error does not say. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param reason a short machine-readable word of your own; for the library's errors it equals the code
   * @param message a full sentence for people; both are cut to 8 KiB of UTF-8
   */
  constructor(reason: string, message: string, options: GenApiErrorOptions = {}) {
    // What reports a failure must not fail itself, whatever it is given.
    const { code, canRetry, retryable, retryAfterMs, cause } = readable(options);
    super(errorText(textOf(message ?? "")), cause === undefined ? undefined : { cause });
    this.reason = errorText(textOf(reason));
    this.code = code ?? "failed";
    this.canRetry = canRetry ?? false;
    this.retryable = retryable ?? false;
    this.retryAfterMs = retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }
}

function readable(options: GenApiErrorOptions): GenApiErrorOptions {
  try {
    return { ...options };
  } catch {
    return {};
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return describe(value);
  }
}

/** Whether `value` is a {@link GenApiError}, made by this or another copy of the package. Never throws. */
export function isGenApiError(value: unknown): value is GenApiError {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    return false;
  }
}

/**
 * The GenApiError that a user's code threw; null for anything else, or if its reason or message cannot be read. Returns
 * a copy, because the author may change the error later or have given it properties that throw. Never throws.
 */
export function genApiErrorIn(thrown: unknown): GenApiError | null {
  if (!isGenApiError(thrown)) return null;
  hearPromises(thrown);
  const reason = wordIn(thrown, "reason");
  const message = wordIn(thrown, "message");
  if (reason === null || message === null) return null;
  const code = read(thrown, "code");
  const retryAfterMs = read(thrown, "retryAfterMs");
  const error = new GenApiError(reason, message, {
    code: isErrorCode(code) ? code : "failed",
    canRetry: read(thrown, "canRetry") === true,
    retryable: read(thrown, "retryable") === true,
    cause: read(thrown, "cause"),
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs: retryAfterMs as number } : {}),
  });
  const stack = textIn(thrown, "stack");
  if (stack !== null) define(error, "stack", stack);
  return error;
}

/** Creates one of the library's own errors: its reason equals its code. */
export function libraryError(
  code: ErrorCode,
  message: string,
  options: Omit<GenApiErrorOptions, "code"> = {},
): GenApiError {
  return new GenApiError(code, message, { ...options, code });
}

/**
 * Turns any thrown value into an Error with a message, fit to be a cause. Never throws. The name, message, stack and
 * code of the result are readable and within the bound of {@link errorText}: an ordinary error is returned as it is; an
 * error of another realm, with its own accessors or with longer texts as a copy. Rejections of promises inside it are
 * handled.
 */
export function toError(thrown: unknown): Error {
  hearPromises(thrown);
  if (isError(thrown)) return isOrdinary(thrown) ? thrown : (genApiErrorIn(thrown) ?? readableCopy(thrown));
  if (typeof thrown === "string") return readableCopy(new Error(errorText(thrown), { cause: errorText(thrown) }));
  const message = `A value other than an Error was thrown: ${describe(thrown)}`;
  return types.isProxy(thrown) ? new Error(message) : new Error(message, { cause: thrown });
}

/** An error's message; never throws, even if its author replaced that property. */
export function messageOf(error: Error): string {
  return textIn(error, "message") ?? unreadableMessage;
}

/** The type of a value, in the terms of JSON, for messages that must not repeat the value itself. Never throws. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "object":
      return types.isProxy(value) ? "proxy" : Array.isArray(value) ? "list" : "map";
    case "undefined":
      return "nothing";
    default:
      return typeof value;
  }
}

const unreadableMessage = "an error whose message cannot be read";
const textFields = ["name", "message", "stack", "code"] as const;

// The getters of DOMException and, in newer versions of V8, of the stack.
const nativeGetters = new Set<unknown>(
  [
    Object.getOwnPropertyDescriptor(new Error(), "stack"),
    ...textFields.map((field) => Object.getOwnPropertyDescriptor(DOMException.prototype, field)),
  ].map((descriptor) => descriptor?.get),
);

/** Whether `value` is an error, of this realm or another. Runs no trap of a Proxy. */
export function isError(value: unknown): value is Error {
  if (types.isNativeError(value)) return true;
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

/** Whether its texts are short strings, and reading them runs no code of its author. */
function isOrdinary(error: Error): boolean {
  try {
    return error instanceof Error && textFields.every((field) => isOrdinaryField(error, field));
  } catch {
    return false;
  }
}

function isOrdinaryField(error: Error, field: (typeof textFields)[number]): boolean {
  for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
    if (types.isProxy(at)) return false;
    const descriptor = Object.getOwnPropertyDescriptor(at, field);
    if (descriptor === undefined) continue;
    if (!("value" in descriptor) && !nativeGetters.has(descriptor.get)) return false;
    const value: unknown = (error as unknown as Readonly<Record<string, unknown>>)[field];
    if (typeof value === "string") return errorText(value) === value;
    return field === "code" ? typeof value !== "object" && typeof value !== "function" : value === undefined;
  }
  return true;
}

function readableCopy(thrown: Error): Error {
  const cause = read(thrown, "cause");
  const message = textIn(thrown, "message") ?? unreadableMessage;
  const copy = cause === undefined ? new Error(message) : new Error(message, { cause });
  const name = textIn(thrown, "name") ?? "Error";
  const code = textIn(thrown, "code");
  define(copy, "name", name);
  define(copy, "stack", textIn(thrown, "stack") ?? errorText(`${name}: ${message}`));
  if (code !== null) define(copy, "code", code);
  return copy;
}

function read(thrown: object, field: string): unknown {
  try {
    const value = (thrown as Readonly<Record<string, unknown>>)[field];
    // A getter may have created it.
    hearPromises(value);
    return value;
  } catch {
    return undefined;
  }
}

/** One of its texts, cut; null if it cannot be read. */
function textIn(thrown: object, field: string): string | null {
  const text = read(thrown, field);
  return typeof text === "string" ? errorText(text) : null;
}

/** As {@link textIn}, for a field that a careless author may have set to a number. */
function wordIn(thrown: object, field: string): string | null {
  try {
    const value = (thrown as Readonly<Record<string, unknown>>)[field];
    hearPromises(value);
    const isPrimitive = typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol";
    return isPrimitive ? errorText(String(value)) : null;
  } catch {
    return null;
  }
}

function define(error: Error, field: string, value: string): void {
  Object.defineProperty(error, field, { value, writable: true, configurable: true, enumerable: false });
}
