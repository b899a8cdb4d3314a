/** Where a frame's payload lies in its text: from `start` up to, not including, `end`. */
export interface PayloadSpan {
  readonly start: number;
  readonly end: number;
}

/** The payload of a V2 frame: its fifth element. Undefined when the text is no array of five. */
export function payloadOfArray(text: string): PayloadSpan | undefined {
  let found: PayloadSpan | undefined;
  scan(text, "[", (start, end, index) => {
    if (index === 4) found = { start, end };
  });
  return found;
}

/** The payload of a V1 frame: the value of its last key "payload", which is the one that JSON.parse takes too. */
export function payloadOfObject(text: string): PayloadSpan | undefined {
  let found: PayloadSpan | undefined;
  scan(text, "{", (start, end) => {
    const key = /^\s*"payload"\s*:/.exec(text.slice(start, start + 64));
    if (key !== null) found = { start: start + key[0].length, end };
  });
  return found;
}

/**
 * Calls `found` for each item between the outermost brackets, without parsing any. Text that is not JSON gives
 * items all the same; what is left of it is parsed, and refused, afterwards.
 */
function scan(text: string, open: "[" | "{", found: (start: number, end: number, index: number) => void): void {
  const first = text.search(/\S/);
  if (text[first] !== open) return;
  let depth = 0;
  let start = first + 1;
  let index = 0;
  for (let at = first; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        break;
      case 0x5b:
      case 0x7b:
        depth++;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        if (depth === 0) {
          found(start, at, index);
          return;
        }
        break;
      case 0x2c:
        if (depth === 1) {
          found(start, at, index++);
          start = at + 1;
        }
        break;
    }
  }
}

/** The index of the quote that ends the string beginning at `at`, or the text's length when none does. */
function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === 0x5c) next++;
    else if (code === 0x22) return next;
  }
  return text.length;
}
