import type { Message, Ref } from "../../protocol/message.ts";
import type { ReceivedMessage } from "../inbound/inbound.ts";
import type { ChannelDefinition } from "./channel.ts";

/** The approximate cost of a held message. */
export function heldSize(data: Buffer): number {
  return data.length + 1_024;
}

/** A topic whose join is not decided yet, and the messages that came for it meanwhile. */
export class PendingJoin {
  readonly message: Message;
  readonly definition: ChannelDefinition;
  /** The join_ref of the channel that this join replaces; undefined if there was none. */
  readonly replacedJoinRef: Ref | undefined;
  readonly startedAt: number;
  readonly held: ReceivedMessage[] = [];
  timer: unknown;
  heldBytes = 0;
  /** Memory of its own payload. */
  payloadBytes = 0;

  constructor(message: Message, definition: ChannelDefinition, replacedJoinRef: Ref | undefined, startedAt: number) {
    this.message = message;
    this.definition = definition;
    this.replacedJoinRef = replacedJoinRef;
    this.startedAt = startedAt;
  }

  /** Keeps a message for later: as bytes, since the parsed form may take twenty times as much. */
  hold(data: Buffer, isBinary: boolean): void {
    // A copy: a message is a view of everything that came from the network with it.
    this.held.push({ data: Buffer.from(data), isBinary });
    this.heldBytes += heldSize(data);
  }
}
