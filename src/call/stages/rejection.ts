import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { Caller } from "../request/caller.ts";
import type { InFlightBound } from "../request/running-calls.ts";

const rejected = telemetryEvent("executor.request.rejected");

/** Reports a request that is refused because its connection has too much running. */
export function reportRejection(
  { calls: { inFlight }, userId, ipAddress }: Caller,
  reason: InFlightBound,
  gateway: string,
): void {
  if (!rejected.active || inFlight === null) return;
  const measurements = { in_flight: inFlight.count, held_bytes: inFlight.held };
  rejected.emit(measurements, { gateway, user_id: userId, ip_address: ipAddress, reason });
}
