import { describe, libraryError } from "../core/errors.ts";
import { costOf, type JsonSpan, memberSpan } from "./json-span.ts";
import { type Message, type Ref, TooDeep } from "./message.ts";
import { alwaysReadBytes, type PayloadLimit } from "./payload-limit.ts";

/** The error of an invalid frame. It does not repeat the frame's own text, which may contain a secret. */
export function decodeError(what: string, cause?: unknown) {
  return libraryError("invalid_request", `A frame cannot be read: ${what}`, { cause });
}

/** How one version finds the payload in a frame's text and reads the parsed frame. */
export interface TextFormat {
  /**
   * The part of a frame before the payload, as a frame of its own whose payload is null. Undefined if the payload may
   * come before other parts, or there is none.
   */
  headBeforePayload(text: Buffer): Buffer | undefined;
  payloadSpan(text: Buffer): JsonSpan | undefined;
  /** @param text the frame as it came, for values that JSON.parse cannot keep */
  toMessage(frame: unknown, text: Buffer, bytes: number): Message;
}

// Topics, events and refs are kept for as long as a channel is joined.
const maxNameLength = 1_024;
// Four names with at most six bytes for each character, and the text between them.
const maxHeadBytes = 32_768;

/**
 * Reads a text frame. From a large frame the payload is cut out before the rest is parsed, and parsed only if `limit`
 * allows that size for its event.
 * @throws GenApiError `invalid_request` for anything that is not a message
 */
export function decodeText(data: Buffer, limit: PayloadLimit, format: TextFormat): Message {
  const { maxPayloadBytes } = limit;
  if (data.length <= Math.min(alwaysReadBytes, maxPayloadBytes)) {
    return format.toMessage(parseJson(data.toString()), data, data.length);
  }
  const before = format.headBeforePayload(data);
  if (before !== undefined && before.length <= maxHeadBytes) {
    // For an event without large payloads, even finding the payload's end is skipped.
    const bytes = data.length - before.length;
    const head = format.toMessage(parseJson(before.toString()), data, bytes);
    const allowed = limit.maxPayloadBytesOf(head.topic, head.event);
    if (allowed < maxPayloadBytes && bytes > allowed) return { ...head, payload: undefined, weight: 0 };
  }
  const span = format.payloadSpan(data);
  if (span === undefined) throw decodeError("it has no payload");
  const bytes = span.end - span.start;
  if (data.length - bytes > Math.min(maxHeadBytes, maxPayloadBytes)) {
    throw decodeError("the part around its payload is too large");
  }
  const frame = parseJson(`${data.toString("utf8", 0, span.start)}null${data.toString("utf8", span.end)}`);
  const head = format.toMessage(frame, data, bytes);
  const text = data.subarray(span.start, span.end);
  if (bytes > limit.maxPayloadBytesOf(head.topic, head.event)) {
    return { ...head, payload: undefined, weight: 0, ...requestIdIn(text) };
  }
  const { values, depth } = costOf(text);
  if (depth > maxDepth) return { ...head, payload: new TooDeep(requestIdIn(text).requestId), weight: 0 };
  return { ...head, payload: parseJson(text.toString()), weight: bytes + values * valueBytes };
}

// Arguments may be nested 32 levels deep; a megabyte of brackets would otherwise block the event loop.
const maxDepth = 512;

// An id may have 1 024 bytes, and each of its characters six.
const maxIdLength = 8_192;

/** Finds the request id in one more pass over the bytes, without parsing the rest. */
function requestIdIn(payload: Buffer): { readonly requestId?: string } {
  const span = memberSpan(payload, "request_id");
  if (span === undefined || span.end - span.start > maxIdLength) return {};
  try {
    const id: unknown = JSON.parse(payload.toString("utf8", span.start, span.end));
    return typeof id === "string" ? { requestId: id } : {};
  } catch {
    // Not JSON there, so the payload as a whole is not either.
    return {};
  }
}

// An empty object in a list takes 56 bytes and its place 8 (Node 20), a number only its place.
const valueBytes = 32;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw decodeError("it is not JSON", cause);
  }
}

/**
 * @param locate finds it in the frame's text by its `place`; called only if it has more digits than a number keeps
 * @throws GenApiError `invalid_request` if `value` cannot be sent back as it came
 */
export function checkRef<Place>(
  value: unknown,
  name: string,
  text: Buffer,
  locate: (text: Buffer, place: Place) => JsonSpan | undefined,
  place: Place,
): Ref {
  if (value === null || (Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)))) {
    return value as Ref;
  }
  if (typeof value === "string") return checkLength(value, name);
  if (typeof value === "number") {
    const span = locate(text, place);
    const digits = span === undefined ? "" : text.toString("latin1", span.start, span.end).trim();
    if (/^-?\d{1,40}$/.test(digits)) return BigInt(digits);
  }
  throw decodeError(`${name} must be a string, a number of at most 40 digits or null, got ${describe(value)}`);
}

/** @throws GenApiError `invalid_request` */
export function checkString(value: unknown, name: string): string {
  if (typeof value === "string") return checkLength(value, name);
  throw decodeError(`${name} must be a string, got ${describe(value)}`);
}

function checkLength(value: string, name: string): string {
  if (value.length <= maxNameLength) return value;
  throw decodeError(`${name} must have at most ${maxNameLength} characters, got ${value.length}`);
}
