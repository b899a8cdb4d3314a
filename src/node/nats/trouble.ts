import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { TransportScope } from "../transport.ts";

const troubled = telemetryEvent("node.transport.error");

/** Tells what a transport over NATS could not do and will try again, or what the server forbids it. */
export function troubleReporter(
  { clock, name: program }: TransportScope,
  servers: readonly string[],
): (error: Error) => void {
  return (error) => {
    troubled.emit({ system_time: clock.systemTime() }, { program, transport: "nats", servers, error });
  };
}
