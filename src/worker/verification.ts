import { type GenApiError, libraryError } from "../core/errors.ts";
import type { WorkerCall } from "./worker-call.ts";

/** The error of a module that did something else than to be imported. */
export function unimportable(module: string, what: string, cause: Error): GenApiError {
  return libraryError("module_unreadable", `The module ${module} ${what}`, { cause });
}

/** A call that is only to be loaded, not made, and tells by a promise whether it could be. */
export function verification(
  module: string,
  name: string,
  resolve: () => void,
  reject: (error: unknown) => void,
): WorkerCall {
  return {
    service: "",
    requestType: name,
    version: null,
    module,
    function: name,
    args: [],
    identity: null,
    maxResultBytes: Number.POSITIVE_INFINITY,
    succeeded: () => resolve(),
    // A failed import is no client's business, but the host's who asked.
    failed: (error: GenApiError) => reject(error.code === "internal" ? error.cause : error),
  };
}
