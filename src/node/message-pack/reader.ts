import { unitsType } from "./frame-scan.ts";

// Keys and names repeat: a look-up here costs less than calling the runtime.
const shortText = 24;
const lastTexts: string[] = new Array(512).fill("");

const nothing = Buffer.alloc(0);
let bytes: Buffer = nothing;
let at = 0;

/**
 * Decodes bytes that `checkFrame` has accepted; the result for other bytes is undefined. The bytes may change
 * afterwards.
 */
export function readMessagePack(message: Uint8Array): unknown[] {
  bytes = Buffer.isBuffer(message) ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  at = 0;
  const values: unknown[] = [];
  try {
    while (at < bytes.length) values.push(read());
    return values;
  } finally {
    bytes = nothing;
  }
}

function read(): unknown {
  const token = bytes[at++] as number;
  if (token < 0x80) return token;
  if (token < 0x90) return readMap(token & 0x0f);
  if (token < 0xa0) return readList(token & 0x0f);
  if (token < 0xc0) return readText(token & 0x1f);
  if (token >= 0xe0) return token - 0x100;
  switch (token) {
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc7:
      if (bytes[at + 1] === unitsType) return readUnits(readUnsigned(1));
      at += 2;
      return readDate(readUnsigned(4), readSigned64());
    case 0xc8:
      return readUnits(readUnsigned(2));
    case 0xc9:
      return readUnits(readUnsigned(4));
    case 0xca:
      at += 4;
      return bytes.readFloatBE(at - 4);
    case 0xcb:
      at += 8;
      return bytes.readDoubleBE(at - 8);
    case 0xcc:
      return bytes[at++];
    case 0xcd:
      at += 2;
      return bytes.readUInt16BE(at - 2);
    case 0xce:
      return readUnsigned(4);
    case 0xd0:
      at += 1;
      return bytes.readInt8(at - 1);
    case 0xd1:
      at += 2;
      return bytes.readInt16BE(at - 2);
    case 0xd2:
      at += 4;
      return bytes.readInt32BE(at - 4);
    case 0xd6:
      at += 1;
      return readDate(0, readUnsigned(4));
    case 0xd7:
      return readPackedDate();
    case 0xd9:
      return readText(readUnsigned(1));
    case 0xda:
      return readText(readUnsigned(2));
    case 0xdb:
      return readText(readUnsigned(4));
    case 0xdc:
      return readList(readUnsigned(2));
    case 0xdd:
      return readList(readUnsigned(4));
    case 0xde:
      return readMap(readUnsigned(2));
    case 0xdf:
      return readMap(readUnsigned(4));
    default:
      return null;
  }
}

function readList(size: number): unknown[] {
  const list: unknown[] = new Array(size);
  for (let index = 0; index < size; index++) list[index] = read();
  return list;
}

function readMap(size: number): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (let index = 0; index < size; index++) {
    const key = read() as string;
    const value = read();
    if (key !== "__proto__") map[key] = value;
    else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return map;
}

function readText(length: number): string {
  const from = at;
  at += length;
  if (length > shortText) return bytes.toString("utf8", from, at);
  let hash = length;
  let seen = 0;
  for (let index = from; index < at; index++) {
    const byte = bytes[index] as number;
    seen |= byte;
    hash = (hash * 31 + byte) | 0;
  }
  if (seen >= 0x80) return bytes.toString("utf8", from, at);
  const place = hash & (lastTexts.length - 1);
  const last = lastTexts[place] as string;
  if (last.length === length && isNext(last, from)) return last;
  const text = bytes.toString("latin1", from, at);
  lastTexts[place] = text;
  return text;
}

function readUnits(length: number): string {
  // After the type.
  at += 1 + length;
  return bytes.toString("utf16le", at - length, at);
}

function isNext(text: string, from: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[from + index]) return false;
  }
  return true;
}

function readUnsigned(size: 1 | 2 | 4): number {
  let value = 0;
  for (const end = at + size; at < end; at++) value = value * 256 + (bytes[at] as number);
  return value;
}

function readSigned64(): number {
  at += 8;
  return Number(bytes.readBigInt64BE(at - 8));
}

function readPackedDate(): Date {
  at += 1;
  const high = readUnsigned(4);
  return readDate(Math.floor(high / 4), (high % 4) * 2 ** 32 + readUnsigned(4));
}

function readDate(nanoseconds: number, seconds: number): Date {
  return new Date(seconds * 1_000 + Math.floor(nanoseconds / 1_000_000));
}
