/**
 * How deep the lists and maps of a JSON text may nest: several times what `JSON.stringify` can produce on a stack of
 * the usual size.
 */
const maxJsonDepth = 65_536;

// For each open container, whether it is a map.
const isMapAt = new Uint8Array(maxJsonDepth + 1);

/**
 * Whether a text is exactly one JSON value. The value is not built: `JSON.parse` takes twice the time, and seconds for
 * some texts of a few megabytes that contain only brackets.
 */
export function isJsonText(text: string): boolean {
  let depth = 0;
  let at = 0;
  for (;;) {
    at = endOfSpace(text, at);
    const token = text.charCodeAt(at);
    if (token === 0x5b || token === 0x7b) {
      const map = token === 0x7b ? 1 : 0;
      at = endOfSpace(text, at + 1);
      if (text.charCodeAt(at) !== token + 2) {
        if (depth === maxJsonDepth) return false;
        isMapAt[++depth] = map;
        if (map === 1) at = endOfKey(text, at);
        if (at === -1) return false;
        continue;
      }
      at++;
    } else {
      at = token === 0x22 ? endOfString(text, at + 1) : endOfScalar(text, at, token);
      if (at === -1) return false;
    }
    // A value has ended, and with it perhaps lists and maps.
    for (;;) {
      at = endOfSpace(text, at);
      if (depth === 0) return at === text.length;
      const map = isMapAt[depth];
      const next = text.charCodeAt(at++);
      if (next === 0x2c) {
        if (map === 1) at = endOfKey(text, endOfSpace(text, at));
        if (at === -1) return false;
        break;
      }
      if (next !== (map === 1 ? 0x7d : 0x5d)) return false;
      depth--;
    }
  }
}

// Each of these takes the start of an element and returns its end, or -1 if it is not there.

function endOfSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

/** A map's key and its colon. */
function endOfKey(text: string, from: number): number {
  if (text.charCodeAt(from) !== 0x22) return -1;
  const end = endOfString(text, from + 1);
  if (end === -1) return -1;
  const at = endOfSpace(text, end);
  return text.charCodeAt(at) === 0x3a ? at + 1 : -1;
}

/** @param from after the opening quote */
function endOfString(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at++);
    if (code === 0x22) return at;
    if (code === 0x5c) {
      at = endOfEscape(text, at);
      if (at === -1) return -1;
    } else if (!(code >= 0x20)) {
      // Control characters, and NaN after the text's end.
      return -1;
    }
  }
}

const hexDigits = /[\da-f]{4}/iy;

/** @param from after the backslash */
function endOfEscape(text: string, from: number): number {
  switch (text.charCodeAt(from)) {
    case 0x22:
    case 0x2f:
    case 0x5c:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return from + 1;
    case 0x75:
      hexDigits.lastIndex = from + 1;
      return hexDigits.test(text) ? from + 5 : -1;
    default:
      return -1;
  }
}

function endOfScalar(text: string, from: number, token: number): number {
  switch (token) {
    case 0x74:
      return text.startsWith("true", from) ? from + 4 : -1;
    case 0x66:
      return text.startsWith("false", from) ? from + 5 : -1;
    case 0x6e:
      return text.startsWith("null", from) ? from + 4 : -1;
    default:
      return endOfNumber(text, from);
  }
}

function endOfNumber(text: string, from: number): number {
  let at = text.charCodeAt(from) === 0x2d ? from + 1 : from;
  at = text.charCodeAt(at) === 0x30 ? at + 1 : endOfDigits(text, at);
  if (at !== -1 && text.charCodeAt(at) === 0x2e) at = endOfDigits(text, at + 1);
  if (at === -1) return -1;
  const code = text.charCodeAt(at);
  if (code !== 0x65 && code !== 0x45) return at;
  const sign = text.charCodeAt(at + 1);
  return endOfDigits(text, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1);
}

/** At least one digit. */
function endOfDigits(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at++;
  return at === from ? -1 : at;
}
