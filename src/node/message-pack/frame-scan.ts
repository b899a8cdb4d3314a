import { libraryError } from "../../core/errors.ts";

/** The most that one message may contain, because the cost of reading it does not follow from its length. */
export interface FrameLimits {
  readonly entries: number;
  /**
   * The most values: lists, maps, their contents, and keys. A message of at most this many bytes cannot exceed it; a
   * longer message has a single entry.
   */
  readonly values: number;
}

/** How deep the values of a frame may nest; a call's arguments begin at the third level and may have 32. */
export const maxFrameDepth = 64;

// How many values each open container still lacks, including keys, and whether it is a map.
const missing = new Float64Array(maxFrameDepth + 1);
const isMapAt = new Uint8Array(maxFrameDepth + 1);

/**
 * The extension type for a text that UTF-8 cannot represent, such as one with halves of surrogate pairs: its UTF-16
 * units.
 */
export const unitsType = 1;

/**
 * Checks, before anything is decoded, that bytes are whole MessagePack values of the plain kinds (null, booleans,
 * numbers, texts, lists, maps with texts as keys, timestamps, and texts as UTF-16): every announced length is there,
 * nothing nests too deep, there are not too many values, and no extension makes the decoder build objects of classes.
 *
 * @throws GenApiError `invalid_request`
 */
export function checkFrame(bytes: Uint8Array, limits: FrameLimits): void {
  const end = bytes.length;
  const maxValues = limits.values;
  const maxEntries = end > maxValues ? 1 : limits.entries;
  let entries = 0;
  let values = 0;
  let at = 0;
  let depth = 0;
  while (at < end) {
    const token = bytes[at++] as number;
    if (++values > maxValues) throw unreadable(`it holds more than ${maxValues} values`);
    if (depth === 0 && ++entries > maxEntries) throw unreadable(`it holds more than ${count(maxEntries)}`);
    let children = -1;
    let map = 0;
    if (depth > 0 && isMapAt[depth] === 1 && ((missing[depth] as number) & 1) === 0 && !isText(bytes, token, at)) {
      throw unreadable("a map has a key that is not a text");
    }
    if (token < 0x80 || token >= 0xe0) {
      // A small whole number.
    } else if (token < 0x90) {
      children = (token & 0x0f) * 2;
      map = 1;
    } else if (token < 0xa0) {
      children = token & 0x0f;
    } else if (token < 0xc0) {
      at += token & 0x1f;
    } else {
      switch (token) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xcb:
          at += 8;
          break;
        case 0xd9:
          at += 1 + number(bytes, at, 1);
          break;
        case 0xda:
          at += 2 + number(bytes, at, 2);
          break;
        case 0xdb:
          at += 4 + number(bytes, at, 4);
          break;
        case 0xdc:
          children = number(bytes, at, 2);
          at += 2;
          break;
        case 0xdd:
          children = number(bytes, at, 4);
          at += 4;
          break;
        case 0xde:
          children = number(bytes, at, 2) * 2;
          map = 1;
          at += 2;
          break;
        case 0xdf:
          children = number(bytes, at, 4) * 2;
          map = 1;
          at += 4;
          break;
        case 0xd6:
          at += timestamp(bytes, at, 4);
          break;
        case 0xd7:
          at += timestamp(bytes, at, 8);
          break;
        case 0xc7:
          at += 1 + (bytes[at + 1] === unitsType ? units(bytes, at + 1, number(bytes, at, 1)) : longDate(bytes, at));
          break;
        case 0xc8:
          at += 2 + units(bytes, at + 2, number(bytes, at, 2));
          break;
        case 0xc9:
          at += 4 + units(bytes, at + 4, number(bytes, at, 4));
          break;
        default:
          throw notPlain(token);
      }
    }
    if (at > end || children > end - at) throw unreadable("it ends before its last value");
    if (children > 0) {
      if (depth === maxFrameDepth) throw unreadable(`its values nest deeper than ${maxFrameDepth}`);
      depth++;
      missing[depth] = children;
      isMapAt[depth] = map;
      continue;
    }
    while (depth > 0 && --(missing as { [at: number]: number })[depth]! === 0) depth--;
  }
  if (depth > 0) throw unreadable("it ends before its last value");
}

function count(entries: number): string {
  return entries === 1 ? "one entry, and is long" : `${entries} entries`;
}

/** @param at after the token */
function isText(bytes: Uint8Array, token: number, at: number): boolean {
  if (token >= 0xa0 && token < 0xc0) return true;
  switch (token) {
    case 0xd9:
    case 0xda:
    case 0xdb:
      return true;
    case 0xc7:
      return bytes[at + 1] === unitsType;
    case 0xc8:
      return bytes[at + 2] === unitsType;
    case 0xc9:
      return bytes[at + 4] === unitsType;
    default:
      return false;
  }
}

/** A big-endian number; NaN, which no position survives, if there are too few bytes. */
function number(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  if (at + size > bytes.length) throw unreadable("it ends before its last value");
  let value = 0;
  for (let index = 0; index < size; index++) value = value * 256 + (bytes[at + index] as number);
  return value;
}

/** @param at the position of its length */
function longDate(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 12) throw notPlain(0xc7);
  return timestamp(bytes, at + 1, 12);
}

function units(bytes: Uint8Array, at: number, length: number): number {
  if (bytes[at] !== unitsType) throw notPlain(bytes[at] ?? 0);
  if (length % 2 === 1) throw unreadable("half of a character is missing");
  return 1 + length;
}

function timestamp(bytes: Uint8Array, at: number, size: number): number {
  if (bytes[at] !== 0xff) throw notPlain(bytes[at] ?? 0);
  return 1 + size;
}

function notPlain(token: number): Error {
  return unreadable(`it contains a value other than plain data and dates (0x${token.toString(16)})`);
}

function unreadable(why: string): Error {
  return libraryError("invalid_request", `A frame cannot be read: ${why}`);
}
