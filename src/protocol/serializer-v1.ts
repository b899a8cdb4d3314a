import { quote } from "../core/quote.ts";
import { checkRef, checkString, decodeError, decodeText } from "./decode.ts";
import { encodeRef, replyPayload } from "./encode.ts";
import { events, type Status } from "./events.ts";
import type { Message, Ref } from "./message.ts";
import { payloadOfObject } from "./payload-span.ts";
import type { ChannelEncoder, Serializer } from "./serializer.ts";

/**
 * Version 1 (Phoenix.Socket.V1.JSONSerializer): frames are the object `{topic, event, payload, ref}`, to which
 * clients may add `join_ref`; the server never sends one.
 */
export const serializerV1: Serializer = {
  vsn: "1.0.0",

  // A binary frame is read as the JSON that it may hold.
  decode: (data, _isBinary, maxPayloadBytes) => decodeText(data, maxPayloadBytes, objectFormat),

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

  reply(ref: Ref, status: Status, response: string): string {
    return `${this.#replyStart}${encodeRef(ref)},"payload":${replyPayload(status, response)}}`;
  }
}

const objectFormat = { payloadSpan: payloadOfObject, toMessage };

function toMessage(frame: unknown, bytes: number): Message {
  if (typeof frame !== "object" || frame === null) throw decodeError("it is no object");
  for (const key of ["topic", "event", "payload", "ref"]) {
    if (!Object.hasOwn(frame, key)) throw decodeError(`it lacks the key ${key}`);
  }
  const { topic, event, payload, ref } = frame as Record<string, unknown>;
  const joinRef = Object.hasOwn(frame, "join_ref") ? (frame as Record<string, unknown>).join_ref : null;
  return {
    joinRef: checkRef(joinRef, "join_ref"),
    ref: checkRef(ref, "ref"),
    topic: checkString(topic, "topic"),
    event: checkString(event, "event"),
    payload,
    bytes,
  };
}
