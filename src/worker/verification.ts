import type { GenApiError } from "../core/errors.ts";
import type { WorkerCall } from "./worker-call.ts";

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
