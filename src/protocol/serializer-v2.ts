import { quote } from "../core/quote.ts";
import { decodeBinary } from "./binary-frame.ts";
import { events, type ReplyStatus } from "./channel-events.ts";
import { checkRef, checkString, decodeError, decodeText, type TextFormat } from "./decode.ts";
import { encodeRef, replyPayload } from "./encode.ts";
import { elementSpan, elementStart } from "./json-span.ts";
import type { Message, Ref } from "./message.ts";
import type { ChannelEncoder, Serializer } from "./serializer.ts";

/**
 * Version 2 (Phoenix.Socket.V2.JSONSerializer): text frames are the array `[join_ref, ref, topic, event, payload]`,
 * elements beyond the fifth ignored; clients may send binary frames too.
 */
export const serializerV2: Serializer = {
  vsn: "2.0.0",

  decode(data, isBinary, limit) {
    return isBinary ? decodeBinary(data, limit) : decodeText(data, limit, arrayFormat);
  },

  encode(joinRef, ref, topic, event, payload) {
    return `[${encodeRef(joinRef)},${encodeRef(ref)},${quote(topic)},${quote(event)},${payload}]`;
  },

  forChannel: (joinRef, topic, event) => new ChannelEncoderV2(joinRef, topic, event),
};

class ChannelEncoderV2 implements ChannelEncoder {
  readonly #pushStart: string;
  readonly #replyStart: string;
  readonly #replyMiddle: string;

  constructor(joinRef: Ref, topic: string, event: string) {
    const start = `[${encodeRef(joinRef)},`;
    this.#pushStart = `${start}null,${quote(topic)},${quote(event)},`;
    this.#replyStart = start;
    this.#replyMiddle = `,${quote(topic)},"${events.reply}",`;
  }

  push(payload: string): string {
    return `${this.#pushStart}${payload}]`;
  }

  reply(ref: Ref, status: ReplyStatus, response: string): string {
    return `${this.#replyStart}${encodeRef(ref)}${this.#replyMiddle}${replyPayload(status, response)}]`;
  }
}

const noPayload = Buffer.from("null]");

const arrayFormat: TextFormat = {
  headBeforePayload(text) {
    const start = elementStart(text, 4);
    return start === undefined ? undefined : Buffer.concat([text.subarray(0, start), noPayload]);
  },
  payloadSpan: (text) => elementSpan(text, 4),
  toMessage,
};

function toMessage(frame: unknown, text: Buffer, bytes: number): Message {
  if (!Array.isArray(frame) || frame.length < 5) throw decodeError("it is not an array of five elements");
  return {
    joinRef: checkRef(frame[0], "join_ref", text, elementSpan, 0),
    ref: checkRef(frame[1], "ref", text, elementSpan, 1),
    topic: checkString(frame[2], "topic"),
    event: checkString(frame[3], "event"),
    payload: frame[4],
    bytes,
    weight: bytes,
  };
}
