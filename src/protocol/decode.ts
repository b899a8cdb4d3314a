import { describe, libraryError } from "../core/errors.ts";
import type { Message, Ref } from "./message.ts";
import type { PayloadSpan } from "./payload-span.ts";

/** The error of a frame that is no message. The frame's own text is not repeated: it may hold a secret. */
export function decodeError(what: string, cause?: unknown) {
  return libraryError("invalid_request", `A frame cannot be read: ${what}`, { cause });
}

/** How one version finds the payload in a frame's text and reads the parsed frame. */
export interface TextFormat {
  payloadSpan(text: string): PayloadSpan | undefined;
  toMessage(frame: unknown, bytes: number): Message;
}

/**
 * Reads a text frame. A payload of more than `maxPayloadBytes` is cut out before the rest is parsed.
 * @throws GenApiError `invalid_request` for anything that is no message
 */
export function decodeText(data: Buffer, maxPayloadBytes: number, format: TextFormat): Message {
  const text = data.toString();
  if (data.length <= maxPayloadBytes) return format.toMessage(parseJson(text), data.length);
  const span = format.payloadSpan(text);
  if (span === undefined) throw decodeError("it has no payload");
  const bytes = Buffer.byteLength(text.slice(span.start, span.end));
  if (data.length - bytes > maxPayloadBytes) throw decodeError("what surrounds its payload is too large");
  if (bytes <= maxPayloadBytes) return format.toMessage(parseJson(text), bytes);
  const message = format.toMessage(parseJson(`${text.slice(0, span.start)}null${text.slice(span.end)}`), bytes);
  return { ...message, payload: undefined };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw decodeError("it is not JSON", cause);
  }
}

// Topics, events and refs are kept for as long as a channel is joined.
const maxNameLength = 1_024;

/** @throws GenApiError `invalid_request` when `value` cannot be sent back as it came */
export function checkRef(value: unknown, name: string): Ref {
  if (value === null || Number.isFinite(value)) return value as Ref;
  if (typeof value === "string") return checkLength(value, name);
  throw decodeError(`${name} must be a string, a finite number or null, got ${describe(value)}`);
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
