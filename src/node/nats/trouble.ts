import { telemetryEvent } from "../../telemetry/telemetry.ts";
import type { TransportScope } from "../node-transport.ts";

const troubled = telemetryEvent("node.transport.error");

/** Reports what a transport over NATS could not do and will retry, or what the server forbids. */
export function troubleReporter(
  { clock, name: program }: TransportScope,
  servers: readonly string[],
): (error: Error) => void {
  return (error) => {
    troubled.emit({ system_time: clock.systemTime() }, { program, transport: "nats", servers, error });
  };
}
