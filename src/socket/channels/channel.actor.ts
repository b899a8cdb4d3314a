import { fromResource } from "../../actor/resource.ts";
import type { JoinedChannel } from "./joined-channel.ts";

/**
 * One joined topic. It handles no messages, which bypass it; it exists to be seen, to crash and to be killed: its end,
 * in every case, closes the channel and aborts its running calls.
 */
export const channelActor = fromResource<JoinedChannel>(({ input: channel }) => channel);
