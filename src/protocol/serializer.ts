import type { Status } from "./events.ts";
import type { Message, Ref } from "./message.ts";

/** How messages of one protocol version look on the wire. Stateless; one instance serves every connection. */
export interface Serializer {
  /** The version that clients ask for with `?vsn=`. */
  readonly vsn: string;
  /**
   * Reads a frame. A payload of more than `maxPayloadBytes` is not parsed: its message has `payload: undefined`.
   * @throws GenApiError `invalid_request` for anything that is no message
   */
  decode(data: Buffer, isBinary: boolean, maxPayloadBytes: number): Message;
  /** A message to the client; `payload` is JSON that is already encoded. */
  encode(joinRef: Ref, ref: Ref, topic: string, event: string, payload: string): string;
  /** What encodes the messages of one joined channel, everything that stays the same in them made once. */
  forChannel(joinRef: Ref, topic: string, event: string): ChannelEncoder;
}

/** Encodes the two messages that requests are answered with. Payloads and responses are JSON already encoded. */
export interface ChannelEncoder {
  /** A push of the channel's own event. */
  push(payload: string): string;
  /** The reply to the message with `ref`. */
  reply(ref: Ref, status: Status, response: string): string;
}
