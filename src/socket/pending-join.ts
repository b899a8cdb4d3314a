import type { Message, Ref } from "../protocol/message.ts";
import type { ChannelDefinition } from "./channel.ts";

// What a held message costs beside its own bytes, roughly.
const messageOverheadBytes = 1_024;

/** A topic whose join is not decided yet, and the messages for it that came meanwhile. */
export class PendingJoin {
  readonly message: Message;
  readonly definition: ChannelDefinition;
  /** The join_ref of the channel that this join replaces; undefined when there was none. */
  readonly replacedJoinRef: Ref | undefined;
  readonly startedAt: number;
  readonly held: Message[] = [];
  timer: unknown;
  #heldBytes = 0;

  constructor(message: Message, definition: ChannelDefinition, replacedJoinRef: Ref | undefined, startedAt: number) {
    this.message = message;
    this.definition = definition;
    this.replacedJoinRef = replacedJoinRef;
    this.startedAt = startedAt;
  }

  /** Keeps a message for later. @returns false when more than `maxBytes` would be kept */
  hold(message: Message, maxBytes: number): boolean {
    this.#heldBytes += message.bytes + messageOverheadBytes;
    if (this.#heldBytes > maxBytes) return false;
    this.held.push(message);
    return true;
  }
}
