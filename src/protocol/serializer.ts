import type { ReplyStatus } from "./channel-events.ts";
import type { Message, Ref } from "./message.ts";
import type { PayloadLimit } from "./payload-limit.ts";

/** The wire format of one protocol version. Stateless; one instance serves every connection. */
export interface Serializer {
  /** The version in clients' `?vsn=`. */
  readonly vsn: string;
  /**
   * Reads a frame. A payload of more bytes than `limit` allows is not parsed: its message has `payload: undefined`.
   * @throws GenApiError `invalid_request` for anything that is not a message
   */
  decode(data: Buffer, isBinary: boolean, limit: PayloadLimit): Message;
  /** Encodes a message to the client; `payload` is encoded JSON. */
  encode(joinRef: Ref, ref: Ref, topic: string, event: string, payload: string): string;
  /** An encoder for the messages of one joined channel, with everything constant prepared. */
  forChannel(joinRef: Ref, topic: string, event: string): ChannelEncoder;
}

/** Encodes the two messages that answer requests. Payloads and responses are encoded JSON. */
export interface ChannelEncoder {
  /** A push of the channel's own event. */
  push(payload: string): string;
  /** The reply to the message with `ref`. */
  reply(ref: Ref, status: ReplyStatus, response: string): string;
}
