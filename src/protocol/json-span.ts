/** The position of a value in the bytes of a JSON text: from `start` up to, not including, `end`. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

/** The start of the array's element at `index`, without looking at it. Undefined if there is none, or no array. */
export function elementStart(json: Buffer, index: number): number | undefined {
  let start: number | undefined;
  let left = index;
  scan(json, openBracket, (_start, end) => {
    if (--left > 0) return false;
    if (json[end] === comma) start = end + 1;
    return true;
  });
  return start;
}

/** The element of an array at `index`. Undefined if the text is not an array or has fewer elements. */
export function elementSpan(json: Buffer, index: number): JsonSpan | undefined {
  let found: JsonSpan | undefined;
  let left = index;
  scan(json, openBracket, (start, end) => {
    if (left-- > 0) return false;
    found = { start, end };
    return true;
  });
  return found;
}

/** The value of an object's last key `name`, as JSON.parse would choose it. Undefined if there is none. */
export function memberSpan(json: Buffer, name: string): JsonSpan | undefined {
  const key = Buffer.from(JSON.stringify(name));
  let found: JsonSpan | undefined;
  scan(json, openBrace, (start, end) => {
    const at = skipSpace(json, start);
    if (json[at] !== quote || json.compare(key, 0, key.length, at, Math.min(at + key.length, end)) !== 0) return false;
    const colonAt = skipSpace(json, at + key.length);
    if (json[colonAt] === colon) found = { start: colonAt + 1, end };
    return false;
  });
  return found;
}

/**
 * The cost of parsing a JSON text, without parsing it: roughly how many values it has, counted by the characters before
 * and between them, and how deep they are nested. A megabyte of text can become twenty of objects, or one of a string;
 * and a text of nothing but brackets takes the parser ten times as long as any other.
 */
export function costOf(json: Buffer): { readonly values: number; readonly depth: number } {
  let values = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case quote:
        at = endOfString(json, at);
        break;
      case comma:
        values++;
        break;
      case openBracket:
      case openBrace:
        values++;
        depth++;
        if (depth > deepest) deepest = depth;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
    }
  }
  return { values, depth: deepest };
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Calls `found` for each item between the outermost brackets, without parsing any, until it returns true. Text that is
 * not JSON also yields items; parsing them later refuses it. One pass over the bytes: the text may be as large as a
 * frame, from any client.
 */
function scan(json: Buffer, open: number, found: (start: number, end: number) => boolean): void {
  const first = skipSpace(json, 0);
  if (json[first] !== open) return;
  let depth = 0;
  let start = first + 1;
  for (let at = first; at < json.length; at++) {
    switch (json[at]) {
      case quote:
        at = endOfString(json, at);
        break;
      case openBracket:
      case openBrace:
        depth++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        if (depth === 0) {
          found(start, at);
          return;
        }
        break;
      case comma:
        if (depth === 1) {
          if (found(start, at)) return;
          start = at + 1;
        }
        break;
    }
  }
}

/** The index of the quote that ends the string beginning at `at`, or the text's length if none does. */
function endOfString(json: Buffer, at: number): number {
  for (let next = at + 1; next < json.length; next++) {
    const byte = json[next];
    if (byte === backslash) next++;
    else if (byte === quote) return next;
  }
  return json.length;
}

function skipSpace(json: Buffer, from: number): number {
  let at = from;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return at;
}
