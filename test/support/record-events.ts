import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { EventName, TelemetryMessage } from "../../src/telemetry/telemetry.ts";

/** Keeps every telemetry event of these names, in order, until the end of the `using` block. */
export function recordEvents(...names: EventName[]) {
  const messages: TelemetryMessage[] = [];
  const keep = (message: unknown) => void messages.push(message as TelemetryMessage);
  for (const name of names) subscribe(`gen_api.${name}`, keep);
  return {
    messages,
    [Symbol.dispose]() {
      for (const name of names) unsubscribe(`gen_api.${name}`, keep);
    },
  };
}
