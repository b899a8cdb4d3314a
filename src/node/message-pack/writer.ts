import { types } from "node:util";
import { libraryError } from "../../core/errors.ts";
import { maxFrameDepth, unitsType } from "./frame-scan.ts";

// The block that values are written to, one after another; a new one of the same size follows.
const blockBytes = 64 * 1024;
// Texts up to this length are checked character by character, which costs less than calling the runtime.
const shortText = 24;

let block = Buffer.allocUnsafeSlow(blockBytes);
let start = 0;
let at = 0;
let isWriting = false;

/**
 * A value as MessagePack: plain data and dates, exactly. `undefined` in a list, functions and invalid dates become
 * null; in a map `undefined` is left out.
 *
 * @param maxBytes of the whole
 * @throws GenApiError `invalid_request` for anything else, cycles, too much nesting, and too many bytes
 */
export function writeMessagePack(value: unknown, maxBytes: number): Uint8Array {
  if (isWriting) return writtenMeanwhile(value, maxBytes);
  isWriting = true;
  start = at;
  try {
    write(value, 0, maxBytes);
    if (at - start > maxBytes) throw tooBig(at - start, maxBytes);
    if (block.length === blockBytes) return block.subarray(start, at);
    return Buffer.from(block.subarray(start, at));
  } catch (thrown) {
    at = start;
    throw thrown;
  } finally {
    isWriting = false;
    // It has grown to several times its content: neither this value nor later ones should keep it.
    if (block.length !== blockBytes) renew(blockBytes);
  }
}

/** Handles a getter, in the value being written, that writes another value. */
function writtenMeanwhile(value: unknown, maxBytes: number): Uint8Array {
  const outer = { block, start, at };
  renew(blockBytes);
  isWriting = false;
  try {
    return writeMessagePack(value, maxBytes);
  } finally {
    ({ block, start, at } = outer);
    isWriting = true;
  }
}

function write(value: unknown, depth: number, maxBytes: number): void {
  if (at + 16 > block.length) grow(16, maxBytes);
  switch (typeof value) {
    case "string":
      writeText(value, maxBytes);
      return;
    case "number":
      writeNumber(value);
      return;
    case "boolean":
      block[at++] = value ? 0xc3 : 0xc2;
      return;
    case "undefined":
    case "function":
      block[at++] = 0xc0;
      return;
    case "object":
      if (value === null) block[at++] = 0xc0;
      else writeObject(value, depth, maxBytes);
      return;
    default:
      throw notPlain(typeof value);
  }
}

function writeObject(value: object, depth: number, maxBytes: number): void {
  if (depth === maxFrameDepth) throw unwritable(`Its values nest deeper than ${maxFrameDepth}`);
  if (Array.isArray(value)) {
    // Read once: a getter in it may change it meanwhile.
    const { length } = value;
    writeSize(length, 0x90, 0xdc);
    for (let index = 0; index < length; index++) write(value[index], depth + 1, maxBytes);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    if (types.isDate(value)) {
      writeDate(value.getTime());
      return;
    }
    // An object of a class arrives as its fields, as with structuredClone. A Map, an Error or bytes would be lost.
    const tag: string = Object.prototype.toString.call(value);
    if (tag !== "[object Object]") throw notPlain(tag);
  }
  const keys = definedKeys(value as Readonly<Record<string, unknown>>);
  writeSize(keys.length, 0x80, 0xde);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (at + 8 > block.length) grow(8, maxBytes);
    writeText(key, maxBytes);
    write((value as Readonly<Record<string, unknown>>)[key], depth + 1, maxBytes);
  }
}

function definedKeys(map: Readonly<Record<string, unknown>>): readonly string[] {
  const keys = Object.keys(map);
  for (let index = 0; index < keys.length; index++) {
    if (map[keys[index] as string] === undefined) return keys.filter((key) => map[key] !== undefined);
  }
  return keys;
}

/** The head of a list or a map. */
function writeSize(size: number, small: number, sized: number): void {
  if (size < 16) {
    block[at++] = small | size;
  } else if (size < 0x10000) {
    block[at++] = sized;
    at = block.writeUInt16BE(size, at);
  } else {
    block[at++] = sized + 1;
    at = block.writeUInt32BE(size, at);
  }
}

function writeText(text: string, maxBytes: number): void {
  const { length } = text;
  if (length <= shortText) {
    if (at + 1 + length > block.length) grow(1 + length, maxBytes);
    let end = at + 1;
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) break;
      block[end++] = unit;
    }
    if (index === length) {
      block[at] = 0xa0 | length;
      at = end;
      return;
    }
  }
  if (!isWellFormed(text)) {
    writeUnits(text, maxBytes);
    return;
  }
  // The upper bound costs nothing to compute.
  const longest = length * 3;
  const room = 5 + (longest > blockBytes / 4 ? Buffer.byteLength(text) : longest);
  if (at + room > block.length) grow(room, maxBytes);
  // Assumes ASCII, and moves the text if it is not and its head is longer.
  const guess = headBytes(length);
  const bytes = block.write(text, at + guess, "utf8");
  const head = headBytes(bytes);
  if (head !== guess) block.copyWithin(at + head, at + guess, at + guess + bytes);
  if (head === 1) {
    block[at] = 0xa0 | bytes;
  } else if (head === 2) {
    block[at] = 0xd9;
    block[at + 1] = bytes;
  } else if (head === 3) {
    block[at] = 0xda;
    block.writeUInt16BE(bytes, at + 1);
  } else {
    block[at] = 0xdb;
    block.writeUInt32BE(bytes, at + 1);
  }
  at += head + bytes;
}

/** The size of the head of a text with this many bytes. */
function headBytes(bytes: number): 1 | 2 | 3 | 5 {
  if (bytes < 32) return 1;
  if (bytes < 0x100) return 2;
  return bytes < 0x10000 ? 3 : 5;
}

function writeUnits(text: string, maxBytes: number): void {
  const bytes = text.length * 2;
  if (at + 6 + bytes > block.length) grow(6 + bytes, maxBytes);
  if (bytes < 0x100) {
    block[at++] = 0xc7;
    block[at++] = bytes;
  } else if (bytes < 0x10000) {
    block[at++] = 0xc8;
    at = block.writeUInt16BE(bytes, at);
  } else {
    block[at++] = 0xc9;
    at = block.writeUInt32BE(bytes, at);
  }
  block[at++] = unitsType;
  at += block.write(text, at, "utf16le");
}

// Exists in Node 20 and later, but not in the library we compile with.
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function writeNumber(value: number): void {
  if (value >= 0 && value < 0x80 && Number.isInteger(value) && !Object.is(value, -0)) {
    block[at++] = value;
  } else if (!Number.isInteger(value) || value > 0xffffffff || value < -0x80000000 || Object.is(value, -0)) {
    block[at++] = 0xcb;
    at = block.writeDoubleBE(value, at);
  } else if (value >= 0) {
    if (value < 0x100) {
      block[at++] = 0xcc;
      block[at++] = value;
    } else if (value < 0x10000) {
      block[at++] = 0xcd;
      at = block.writeUInt16BE(value, at);
    } else {
      block[at++] = 0xce;
      at = block.writeUInt32BE(value, at);
    }
  } else if (value >= -0x20) {
    block[at++] = value & 0xff;
  } else if (value >= -0x80) {
    block[at++] = 0xd0;
    block[at++] = value & 0xff;
  } else if (value >= -0x8000) {
    block[at++] = 0xd1;
    at = block.writeInt16BE(value, at);
  } else {
    block[at++] = 0xd2;
    at = block.writeInt32BE(value, at);
  }
}

/** A timestamp: type -1, in the shortest of its three forms. As in JSON, an invalid date is null. */
function writeDate(time: number): void {
  if (Number.isNaN(time)) {
    block[at++] = 0xc0;
    return;
  }
  const seconds = Math.floor(time / 1_000);
  const nanoseconds = (time - seconds * 1_000) * 1_000_000;
  if (nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32) {
    block[at++] = 0xd6;
    block[at++] = 0xff;
    at = block.writeUInt32BE(seconds, at);
  } else if (seconds >= 0 && seconds < 2 ** 34) {
    block[at++] = 0xd7;
    block[at++] = 0xff;
    at = block.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / 2 ** 32), at);
    at = block.writeUInt32BE(seconds % 2 ** 32, at);
  } else {
    block[at++] = 0xc7;
    block[at++] = 12;
    block[at++] = 0xff;
    at = block.writeUInt32BE(nanoseconds, at);
    at = block.writeBigInt64BE(BigInt(seconds), at);
  }
}

/** Makes room for `bytes` more; moves what was written of this value. */
function grow(bytes: number, maxBytes: number): void {
  const written = at - start;
  const needed = written + bytes;
  // Some requested bytes may remain unused.
  if (needed > maxBytes + 16) throw tooBig(needed, maxBytes);
  const before = block;
  const from = start;
  renew(needed <= blockBytes ? blockBytes : needed * 2);
  before.copy(block, 0, from, from + written);
  at = written;
}

function renew(bytes: number): void {
  block = Buffer.allocUnsafeSlow(bytes);
  start = 0;
  at = 0;
}

function tooBig(bytes: number, maxBytes: number): Error {
  return unwritable(`A frame has ${bytes} bytes, at most ${maxBytes} are allowed`);
}

function notPlain(what: string): Error {
  return unwritable(`It contains a value other than plain data and dates: ${what}`);
}

function unwritable(why: string): Error {
  return libraryError("invalid_request", why);
}
