import { Packr } from "msgpackr";
import { libraryError, toError } from "../core/errors.ts";
import { checkFrame, type FrameLimits } from "./frame-scan.ts";

/** The most bytes of a message, in either direction. */
export const maxMessageBytes = 32 * 1024 * 1024;

/** What travels in one piece: an operation's number and what belongs to it. */
export type Entry = readonly unknown[];

const packr = new Packr({
  // Plain maps: neither end has to remember what the other said before.
  useRecords: false,
  mapsAsObjects: true,
  encodeUndefinedAsNil: true,
  // As JSON has it.
  onInvalidDate: () => null,
});

// What entries are written to, one after another; then the next of its size.
const blockBytes = 64 * 1024;
packr.useBuffer(Buffer.allocUnsafeSlow(blockBytes));

/**
 * An entry as MessagePack, for entries that hold nothing but numbers and texts of the library's own.
 *
 * @throws GenApiError `invalid_request` when it is bigger than {@link maxMessageBytes}
 */
export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = packr.pack(entry);
  if (bytes.length > maxMessageBytes) {
    throw libraryError("invalid_request", `A frame has ${bytes.length} bytes, at most ${maxMessageBytes} are allowed`);
  }
  if (bytes.buffer.byteLength === blockBytes) return bytes;
  // The block had to grow, to several times what it holds: neither this entry nor the next ones keep it.
  packr.useBuffer(Buffer.allocUnsafeSlow(blockBytes));
  return Buffer.from(bytes);
}

/**
 * An entry with values of somebody else's, which may be anything: those that are not plain data or dates are found
 * here and not by the other end. `undefined` and functions become null; text that is not well-formed UTF-16 and a key
 * `__proto__` do not survive.
 *
 * @param limits what the other end takes
 * @throws GenApiError `invalid_request` when a value is not plain data, a ring, nested too deep, too big or too many
 */
export function encodeForeign(entry: Entry, limits: FrameLimits): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodeEntry(entry);
  } catch (thrown) {
    const error = toError(thrown);
    throw libraryError("invalid_request", `A value cannot be sent to another node: ${error.message}`, { cause: error });
  }
  checkFrame(bytes, limits);
  return bytes;
}

/**
 * The entries of a message; the message may be anything, and may change afterwards.
 *
 * @throws GenApiError `invalid_request` when it is too big, not readable, or holds anything but entries of
 *   plain data, or too much
 */
export function decodeEntries(message: Uint8Array, limits: FrameLimits): unknown[][] {
  if (message.length > maxMessageBytes) {
    const size = `${message.length} bytes, at most ${maxMessageBytes} are allowed`;
    throw libraryError("invalid_request", `A frame cannot be read: it has ${size}`);
  }
  checkFrame(message, limits);
  let entries: unknown[];
  try {
    entries = packr.unpackMultiple(message);
  } catch (thrown) {
    throw libraryError("invalid_request", "A frame cannot be read", { cause: thrown });
  }
  if (!entries.every(Array.isArray)) throw libraryError("invalid_request", "A frame holds what is no entry");
  return entries as unknown[][];
}
