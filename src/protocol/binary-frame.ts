import { decodeError } from "./decode.ts";
import type { Message, Ref } from "./message.ts";
import type { PayloadLimit } from "./payload-limit.ts";

const pushKind = 0;
const headerBytes = 5;

/**
 * Reads the one kind of binary frame that clients of version 2 send, a push: a byte 0, the lengths in bytes of
 * join_ref, ref, topic and event, one byte each, these four in UTF-8, then the payload's raw bytes. An empty ref means
 * none.
 *
 * @throws GenApiError `invalid_request` for any other kind and for a frame that ends early
 */
export function decodeBinary(data: Buffer, limit: PayloadLimit): Message {
  const kind = data[0];
  if (kind !== pushKind) throw decodeError(`a binary frame must be of kind ${pushKind}, got ${kind ?? "nothing"}`);
  const ends = [headerBytes];
  for (let field = 1; field < headerBytes; field++) ends.push(ends[field - 1]! + (data[field] ?? 0));
  const [start, joinRef, ref, topic, event] = ends as [number, number, number, number, number];
  if (data.length < event) throw decodeError(`a binary frame ends after ${data.length} bytes, before its payload`);
  const bytes = data.length - event;
  const topicName = data.toString("utf8", ref, topic);
  const eventName = data.toString("utf8", topic, event);
  const isTooLarge = bytes > limit.maxPayloadBytesOf(topicName, eventName);
  return {
    joinRef: refOf(data, start, joinRef),
    ref: refOf(data, joinRef, ref),
    topic: topicName,
    event: eventName,
    payload: isTooLarge ? undefined : data.subarray(event),
    bytes,
    weight: isTooLarge ? 0 : bytes,
  };
}

function refOf(data: Buffer, start: number, end: number): Ref {
  return start === end ? null : data.toString("utf8", start, end);
}
