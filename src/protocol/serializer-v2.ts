import { quote } from "../core/quote.ts";
import { decodeBinary } from "./binary-frame.ts";
import { checkRef, checkString, decodeError, decodeText } from "./decode.ts";
import { encodeRef, replyPayload } from "./encode.ts";
import { events, type Status } from "./events.ts";
import type { Message, Ref } from "./message.ts";
import { payloadOfArray } from "./payload-span.ts";
import type { ChannelEncoder, Serializer } from "./serializer.ts";

/**
 * Version 2 (Phoenix.Socket.V2.JSONSerializer): text frames are the array
 * `[join_ref, ref, topic, event, payload]`, elements beyond the fifth ignored; clients may send binary frames too.
 */
export const serializerV2: Serializer = {
  vsn: "2.0.0",

  decode(data, isBinary, maxPayloadBytes) {
    return isBinary ? decodeBinary(data, maxPayloadBytes) : decodeText(data, maxPayloadBytes, arrayFormat);
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

  reply(ref: Ref, status: Status, response: string): string {
    return `${this.#replyStart}${encodeRef(ref)}${this.#replyMiddle}${replyPayload(status, response)}]`;
  }
}

const arrayFormat = { payloadSpan: payloadOfArray, toMessage };

function toMessage(frame: unknown, bytes: number): Message {
  if (!Array.isArray(frame) || frame.length < 5) throw decodeError("it is no array of five");
  return {
    joinRef: checkRef(frame[0], "join_ref"),
    ref: checkRef(frame[1], "ref"),
    topic: checkString(frame[2], "topic"),
    event: checkString(frame[3], "event"),
    payload: frame[4],
    bytes,
  };
}
