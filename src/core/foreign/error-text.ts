/**
 * The most UTF-8 bytes of each text of an error (message, reason, name, code and stack) that gen-api keeps, sends or
 * logs. The code that throws chooses these texts; a longer one is cut and ends in "…".
 */
export const maxErrorTextBytes = 8 * 1024;

const ellipsis = "…";
const encoder = new TextEncoder();
const room = new Uint8Array(maxErrorTextBytes - Buffer.byteLength(ellipsis));

/** `text` fit for an error: unchanged, or cut to {@link maxErrorTextBytes}. */
export function errorText(text: string): string {
  // A UTF-16 unit takes at most 3 bytes of UTF-8, so almost every text passes without being counted.
  if (text.length * 3 <= maxErrorTextBytes) return text;
  if (text.length <= maxErrorTextBytes && Buffer.byteLength(text) <= maxErrorTextBytes) return text;
  const { read } = encoder.encodeInto(text.slice(0, maxErrorTextBytes), room);
  return text.slice(0, read) + ellipsis;
}
