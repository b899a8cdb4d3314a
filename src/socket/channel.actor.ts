import { fromResource } from "../actor/resource.ts";
import type { JoinedChannel } from "./joined-channel.ts";

/**
 * One joined topic. It handles no messages, which go past it directly; it is there to be seen, to crash and to be
 * killed: its end, however it comes, aborts what runs for the channel.
 */
export const channelActor = fromResource<JoinedChannel>(({ input: channel }) => ({
  close: () => channel.end(),
  formatStatus: () => ({ topic: channel.topic, running: channel.caller.calls.size }),
}));
