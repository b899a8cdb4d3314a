import { libraryError } from "../../core/errors.ts";
import { shown } from "../../core/faults.ts";

/** How long a stopping program lets its calls run. */
export interface DrainTime {
  /** Milliseconds; calls that still run after that are answered `unavailable`. @default 0 */
  readonly drainMs?: number;
}

/** How a gateway stops. Sockets of clients without a running call close much sooner than `drainMs`. */
export interface StopOptions extends DrainTime {
  /**
   * How long only `/readyz` fails before anything else happens, milliseconds. In this time balancers notice, and stop
   * sending clients to a port that is about to close. @default 0
   */
  readonly notReadyMs?: number;
}

/** Checks the times of {@link StopOptions}. @throws GenApiError `invalid_option` */
export function checkStopOptions(options: StopOptions): Required<StopOptions> {
  if (typeof options !== "object" || options === null) {
    throw libraryError("invalid_option", `stop takes {drainMs, notReadyMs}, got ${shown(options)}`);
  }
  const { drainMs = 0, notReadyMs = 0 } = options;
  for (const [name, ms] of Object.entries({ drainMs, notReadyMs })) {
    if (typeof ms === "number" && ms >= 0) continue;
    throw libraryError("invalid_option", `${name} must be a number of milliseconds, 0 or more, got ${shown(ms)}`);
  }
  return { drainMs, notReadyMs };
}
