import type { OnDrop } from "../core/net/waiting-sockets.ts";
import type { Clock } from "../core/time/clock.ts";
import { Quota } from "../core/time/quota.ts";
import { telemetryEvent } from "./telemetry.ts";

const dropEvent = telemetryEvent("connection.drop");

// Clients can trigger it at will.
const maxPerMinute = 100;

/** Reports, at most a hundred times a minute, the sockets that a listener closed because they had asked for nothing. */
export function reportDrops(gateway: string, listener: "clients" | "nodes" | "admin", clock: Clock): OnDrop {
  const quota = new Quota(maxPerMinute, 60_000, clock);
  let unreported = 0;
  return (count, network) => {
    unreported += count;
    if (!quota.take()) return;
    dropEvent.emit({ count: unreported }, { gateway, listener, network });
    unreported = 0;
  };
}
