import { events } from "../../protocol/channel-events.ts";

/** A function that an event of clients calls. */
export interface EventFunction {
  /** The function's service. */
  readonly service: string;
  /** The function's name in it. */
  readonly requestType: string;
}

const ownEvents: readonly string[] = [events.cancel, events.stopStream, events.acknowledge, events.resume];

/** What no event of a channel may be called, for messages. */
export const reservedRule = `none of phx_*, ${ownEvents.join(", ")} and the channel's own event`;

/**
 * Whether a name already means something on a channel.
 * @param own the channel's event of requests
 */
export function isReservedEvent(name: string, own: string): boolean {
  return name === own || name.startsWith("phx_") || ownEvents.includes(name);
}
