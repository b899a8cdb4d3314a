import { type GenApiError, libraryError } from "../core/errors.ts";
import type { FunctionKind } from "../execution/function-kind.ts";
import type { FunctionPlace } from "../execution/load-function.ts";
import type { WorkerCall } from "../execution/worker-call.ts";

/** The error for a module that did something else when it was imported. */
export function unimportable(module: string, what: string, cause: Error): GenApiError {
  return libraryError("module_unreadable", `The module ${module} ${what}`, { cause });
}

/** A call that is only loaded, not made; its promise reports whether the function could be loaded, and its kind. */
export function verification(
  place: FunctionPlace,
  resolve: (kind: FunctionKind) => void,
  reject: (error: unknown) => void,
): WorkerCall {
  return {
    ...place,
    service: "",
    requestType: place.function,
    version: null,
    args: [],
    identity: null,
    maxResultBytes: Number.POSITIVE_INFINITY,
    succeeded: (kind) => resolve(kind as FunctionKind),
    // A failed import concerns the host that asked, not a client.
    failed: (error: GenApiError) => reject(error.code === "internal" ? error.cause : error),
  };
}
