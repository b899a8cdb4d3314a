import { mustTake } from "../../core/argument.ts";

/**
 * Refuses what is no event: an actor that is sent it would crash.
 * @throws GenApiError `invalid_request`
 */
export function mustTakeEvent(what: string, event: unknown): void {
  mustTake(what, "an event, an object with a type", event, isEvent);
}

function isEvent(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}
