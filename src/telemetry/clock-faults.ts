import { systemClock } from "../core/time/clock.ts";
import type { OnClockFault } from "../core/time/host-clock.ts";
import { Quota } from "../core/time/quota.ts";
import { telemetryEvent } from "./telemetry.ts";

const exception = telemetryEvent("clock.exception");

/** Reports what a host's clock does wrong: the first time, and once a minute after that. */
export function reportClockFaults(): OnClockFault {
  const quota = new Quota(1, 60_000, systemClock);
  let count = 0;
  return (method, problem) => {
    count += 1;
    if (!quota.take()) return;
    // In a turn of its own: a clock is read in the middle of everything.
    setImmediate(() => {
      exception.emit({ count }, { method, problem });
      count = 0;
    });
  };
}
