import { libraryError, toError } from "../../core/errors.ts";
import { checkFrame, type FrameLimits } from "../message-pack/frame-scan.ts";
import { readMessagePack } from "../message-pack/reader.ts";
import { writeMessagePack } from "../message-pack/writer.ts";

/** The most bytes of a message, in either direction. */
export const maxMessageBytes = 32 * 1024 * 1024;

/** The unit of transmission: an operation's number and its data. */
export type Entry = readonly unknown[];

/**
 * An entry as MessagePack, for entries that contain only numbers and texts of the library's own.
 *
 * @throws GenApiError `invalid_request` if it is bigger than {@link maxMessageBytes}
 */
export function encodeEntry(entry: Entry): Uint8Array {
  return writeMessagePack(entry, maxMessageBytes);
}

/**
 * An entry with foreign values, which may be anything: values other than plain data and dates are detected here rather
 * than by the other end. Plain data and dates arrive as on a thread; `undefined` in a list, functions and invalid dates
 * become null, and in a map `undefined` is left out.
 *
 * @param limits the other end's limits
 * @throws GenApiError `invalid_request` if a value is not plain data, cyclic, nested too deep, too big or has too many
 * values
 */
export function encodeForeign(entry: Entry, limits: FrameLimits): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = writeMessagePack(entry, maxMessageBytes);
  } catch (thrown) {
    const error = toError(thrown);
    throw libraryError("invalid_request", `A value cannot be sent to another node: ${error.message}`, { cause: error });
  }
  checkFrame(bytes, limits);
  return bytes;
}

/**
 * The entries of a message, which may be anything and may change afterwards.
 *
 * @throws GenApiError `invalid_request` if it is too big, unreadable, or contains anything but entries of plain data,
 * or too much
 */
export function decodeEntries(message: Uint8Array, limits: FrameLimits): unknown[][] {
  if (message.length > maxMessageBytes) {
    const size = `${message.length} bytes, at most ${maxMessageBytes} are allowed`;
    throw libraryError("invalid_request", `A frame cannot be read: it has ${size}`);
  }
  checkFrame(message, limits);
  const entries = readMessagePack(message);
  if (!entries.every(Array.isArray)) throw libraryError("invalid_request", "A frame contains an invalid entry");
  return entries as unknown[][];
}
