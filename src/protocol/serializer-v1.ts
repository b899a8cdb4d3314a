import { quote } from "../core/quote.ts";
import { events, type ReplyStatus } from "./channel-events.ts";
import { checkRef, checkString, decodeError, decodeText, type TextFormat } from "./decode.ts";
import { encodeRef, replyPayload } from "./encode.ts";
import { memberSpan } from "./json-span.ts";
import type { Message, Ref } from "./message.ts";
import type { ChannelEncoder, Serializer } from "./serializer.ts";

/**
 * Version 1 (Phoenix.Socket.V1.JSONSerializer): frames are the object `{topic, event, payload, ref}`, to which clients
 * may add `join_ref`; the server never sends one.
 */
export const serializerV1: Serializer = {
  vsn: "1.0.0",

  // A binary frame may contain JSON, and is read as that.
  decode: (data, _isBinary, limit) => decodeText(data, limit, objectFormat),

  encode(_joinRef, ref, topic, event, payload) {
    return `{"topic":${quote(topic)},"event":${quote(event)},"ref":${encodeRef(ref)},"payload":${payload}}`;
  },

  forChannel: (_joinRef, topic, event) => new ChannelEncoderV1(topic, event),
};

class ChannelEncoderV1 implements ChannelEncoder {
  readonly #pushStart: string;
  readonly #replyStart: string;

  constructor(topic: string, event: string) {
    this.#pushStart = `{"topic":${quote(topic)},"event":${quote(event)},"ref":null,"payload":`;
    this.#replyStart = `{"topic":${quote(topic)},"event":"${events.reply}","ref":`;
  }

  push(payload: string): string {
    return `${this.#pushStart}${payload}}`;
  }

  reply(ref: Ref, status: ReplyStatus, response: string): string {
    return `${this.#replyStart}${encodeRef(ref)},"payload":${replyPayload(status, response)}}`;
  }
}

const objectFormat: TextFormat = {
  headBeforePayload: () => undefined,
  payloadSpan: (text) => memberSpan(text, "payload"),
  toMessage,
};

function toMessage(frame: unknown, text: Buffer, bytes: number): Message {
  if (typeof frame !== "object" || frame === null) throw decodeError("it is not an object");
  for (const key of ["topic", "event", "payload", "ref"]) {
    if (!Object.hasOwn(frame, key)) throw decodeError(`it lacks the key ${key}`);
  }
  const { topic, event, payload, ref } = frame as Record<string, unknown>;
  const joinRef = Object.hasOwn(frame, "join_ref") ? (frame as Record<string, unknown>).join_ref : null;
  return {
    joinRef: checkRef(joinRef, "join_ref", text, memberSpan, "join_ref"),
    ref: checkRef(ref, "ref", text, memberSpan, "ref"),
    topic: checkString(topic, "topic"),
    event: checkString(event, "event"),
    payload,
    bytes,
    weight: bytes,
  };
}
