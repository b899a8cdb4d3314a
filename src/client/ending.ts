import { GenApiError } from "./gen-api-error.ts";
import type { CallOptions } from "./options.ts";

/** The failure of a call whose signal has aborted. */
export function cancelled(signal: AbortSignal): GenApiError {
  return new GenApiError("cancelled", "Request cancelled", { cause: signal.reason });
}

/**
 * Calls `end` when the caller's signal aborts, which it has not yet, or the caller's time is over.
 * @returns what stops the watch
 */
export function watchEnding({ signal, timeoutMs }: CallOptions, end: (error: GenApiError) => void): () => void {
  const aborted = () => end(cancelled(signal as AbortSignal));
  const late = () => end(new GenApiError("timeout", `No end within ${timeoutMs} ms`, { canRetry: true }));
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  signal?.addEventListener("abort", aborted);
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  };
}
