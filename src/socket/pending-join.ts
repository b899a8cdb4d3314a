import type { Message, Ref } from "../protocol/message.ts";
import type { ChannelDefinition } from "./channel.ts";

/** What a held message costs, roughly. */
export function heldSize(message: Message): number {
  return message.bytes + 1_024;
}

/** A topic whose join is not decided yet, and the messages for it that came meanwhile. */
export class PendingJoin {
  readonly message: Message;
  readonly definition: ChannelDefinition;
  /** The join_ref of the channel that this join replaces; undefined when there was none. */
  readonly replacedJoinRef: Ref | undefined;
  readonly startedAt: number;
  readonly held: Message[] = [];
  timer: unknown;
  heldBytes = 0;

  constructor(message: Message, definition: ChannelDefinition, replacedJoinRef: Ref | undefined, startedAt: number) {
    this.message = message;
    this.definition = definition;
    this.replacedJoinRef = replacedJoinRef;
    this.startedAt = startedAt;
  }

  /** Keeps a message for later. */
  hold(message: Message): void {
    this.held.push(message);
    this.heldBytes += heldSize(message);
  }
}
