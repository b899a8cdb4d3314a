import { libraryError } from "../../core/errors.ts";
import { refuseArgument, shown, unknownKeysFault } from "../../core/faults.ts";

/** How a service is reloaded. */
export interface ReloadOptions {
  /**
   * Whether to end what still runs the earliest code, with `unavailable`, if three earlier versions run calls or streams.
   * Otherwise the reload is refused then. @default false
   */
  readonly force?: boolean;
}

/** What was reloaded. */
export interface Reloaded {
  /** The service. */
  readonly service: string;
  /** The URLs of the modules that were imported anew: those of the service's functions. */
  readonly modules: readonly string[];
  /**
   * The functions that run the new code: "service.request_type", and the version, if any. Functions of other services are
   * among them if they are in the same modules.
   */
  readonly functions: readonly string[];
  /** Threads on which calls or streams still run the code that was replaced, now or before. They end with them. */
  readonly oldThreads: number;
}

/** Checks {@link ReloadOptions}. @throws GenApiError `invalid_option` */
export function checkReloadOptions(options: ReloadOptions): Required<ReloadOptions> {
  if (typeof options !== "object" || options === null) {
    throw libraryError("invalid_option", `reload takes a service and {force}, got ${shown(options)}`);
  }
  const { force = false, ...others } = options;
  const unknown = Object.keys(others);
  if (unknown.length > 0) throw libraryError("invalid_option", `reload: ${unknownKeysFault(unknown, ["force"])}`);
  refuseArgument("reload", "force", force, typeof force === "boolean", "true or false");
  return { force };
}
