import { type ErrorCode, GenApiError, toError } from "../../core/errors.ts";
import { errorText } from "../../core/foreign/error-text.ts";
import { quote } from "../../core/quote.ts";
import { errorOfFailure, type Failure } from "./failure.ts";

/** A Response as clients receive it, with the field names of the wire. */
export interface Response<Result = unknown> {
  /** The id of the request; "unknown" if it had none. */
  request_id: string;
  /** The function's result, or a chunk of its stream; null on failures. */
  result: Result | null;
  /** False if the request failed. */
  success: boolean;
  /** On failures a message for people, at most 8 KiB of UTF-8; otherwise null. */
  error: string | null;
  /** True when more messages follow, or when this is one of many. */
  async: boolean;
  /** Whether more chunks of a stream follow. */
  has_more: boolean;
  /** Whether sending the request again may help. */
  can_retry: boolean;
  /** Only on failures: a code of docs/errors.md. */
  error_code?: string;
  /** Only on failures with code `failed`: the reason that the function gave. */
  reason?: string;
  /** Only with `rate_limited`: milliseconds to wait. */
  retry_after_ms?: number;
  /** Only of a stream with a window: the number of its chunk, from 1; the end has the next one. */
  seq?: number;
  /** Only of the first Response of a stream that outlives its socket: by this its client resumes it. */
  resume_token?: string;
  /** Only of a Response that was kept: it answers a repeated request with the same `idempotency_key`. */
  replayed?: true;
}

// A Response is assembled around the JSON of its result, which is encoded once, where the function ran: 0.2–0.35 µs
// instead of 1.3 µs to stringify the whole.

/** With this every Response to a request begins. */
export function beginning(requestId: string): string {
  return `{"request_id":${quote(requestId)}`;
}

/**
 * The Response of a finished call.
 * @param result its JSON
 */
export function encodeSuccess(requestId: string, result: string): string {
  return `{"request_id":${quote(requestId)},"result":${result},"success":true,"error":null,"async":false,"has_more":false,"can_retry":false}`;
}

/** The first Response of an accepted async call. */
export function encodeAccepted(requestId: string): string {
  return `{"request_id":${quote(requestId)},"result":null,"success":true,"error":null,"async":true,"has_more":false,"can_retry":false}`;
}

/**
 * A Response of a stream: its start (`"init"`) or a chunk.
 * @param result the chunk's JSON
 */
export function encodeChunk(requestId: string, result: string): string {
  return `{"request_id":${quote(requestId)},"result":${result},"success":true,"error":null,"async":true,"has_more":true,"can_retry":false}`;
}

/**
 * The last Response of a stream.
 * @param result the last result's JSON, or `null`
 */
export function encodeStreamEnd(requestId: string, result: string): string {
  return `{"request_id":${quote(requestId)},"result":${result},"success":true,"error":null,"async":true,"has_more":false,"can_retry":false}`;
}

/** A Response of a stream with a window, with its number. */
export function withSeq(response: string, seq: number): string {
  return `${response.slice(0, -1)},"seq":${seq}}`;
}

/** The first Response of a stream that outlives its socket, with the token by which its client comes back. */
export function withToken(response: string, token: string): string {
  return `${response.slice(0, -1)},"resume_token":${quote(token)}}`;
}

/** A final Response that was kept, for a repeated request. */
export function withReplayed(response: string): string {
  return `${response.slice(0, -1)},"replayed":true}`;
}

/**
 * The Response of a refused or failed request.
 * @param detailError whether clients see the message of an internal error
 */
export function encodeFailure(requestId: string, failure: Failure, detailError: boolean): string {
  const error =
    detailError && failure.code === "internal" && failure.cause !== undefined
      ? `${failure.message}: ${toError(failure.cause).message}`
      : failure.message;
  const reason = failure.code === "failed" ? `,"reason":${quote(errorText(failure.reason))}` : "";
  const retryAfter = failure.retryAfterMs === undefined ? "" : `,"retry_after_ms":${failure.retryAfterMs}`;
  return `{"request_id":${quote(requestId)},"result":null,"success":false,"error":${quote(errorText(error))},"async":false,"has_more":false,"can_retry":${failure.canRetry},"error_code":"${failure.code}"${reason}${retryAfter}}`;
}

/**
 * Reads a Response, but not its result: a thread may have written one that is nested too deep for this thread to write
 * again.
 *
 * @returns the Response, whose result is null, and the result's JSON
 */
export function readResponse(encoded: string): { readonly response: Response<null>; readonly result: string } {
  // Neither can be part of a text before it or after it: quotes in those are escaped.
  const start = encoded.indexOf(resultKey) + resultKey.length;
  const end = encoded.lastIndexOf(keyAfterResult);
  const response = JSON.parse(`${encoded.slice(0, start)}null${encoded.slice(end)}`) as Response<null>;
  return { response, result: encoded.slice(start, end) };
}

const resultKey = ',"result":';
const keyAfterResult = ',"success":';

/**
 * The error behind a failed Response, with its `error_code` as code.
 *
 * @param failure the failure that led to the Response; its cause becomes the error's cause
 */
export function errorOfResponse(response: Response, failure: Failure | null): GenApiError {
  const code = (response.error_code ?? "internal") as ErrorCode;
  const cause = failure === null ? undefined : causeOf(failure);
  return new GenApiError(response.reason ?? code, response.error ?? "", {
    code,
    canRetry: response.can_retry,
    ...(response.retry_after_ms === undefined ? {} : { retryAfterMs: response.retry_after_ms }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The cause of a failure; after the last retry, the cause of the last attempt. */
function causeOf({ code, cause }: Failure): Error | undefined {
  if (cause === undefined) return undefined;
  return code === "retry_exhausted" ? errorOfFailure(cause as Failure) : toError(cause);
}
