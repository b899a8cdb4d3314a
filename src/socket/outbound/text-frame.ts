/**
 * The header of an unmasked, unfragmented WebSocket text frame (RFC 6455, 5.2), one character per byte, so that it can
 * precede an ASCII text and both be written as latin1.
 */
export function textFrameHeader(bytes: number): string {
  if (bytes < 126) return String.fromCharCode(0x81, bytes);
  if (bytes < 0x10000) return String.fromCharCode(0x81, 126, bytes >> 8, bytes & 0xff);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return `\x81\x7f${length.toString("latin1")}`;
}

/** The frame of a message to many sockets: its bytes, one character each, or in a buffer. */
export type SharedFrame = string | Buffer;

// From this size on, a copy for each socket that reads slowly would cost more than a buffer that they share.
const bufferFrom = 8_192;

/** Encodes a text frame once for many sockets. */
export function sharedFrame(text: string): SharedFrame {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.concat([Buffer.from(textFrameHeader(bytes), "latin1"), Buffer.from(text)]);
  return bytes < bufferFrom ? frame.toString("latin1") : frame;
}
