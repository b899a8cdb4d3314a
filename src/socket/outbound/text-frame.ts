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
