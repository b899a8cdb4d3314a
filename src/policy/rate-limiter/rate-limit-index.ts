import { randomBytes, randomInt } from "node:crypto";
import type { WindowKey } from "./rate-limit-key.ts";

// Clients choose the keys. With a known hash they could send colliding keys that make every look-up slow; so it depends
// on secret numbers that differ from process to process.
const seed = randomInt(2 ** 32) | 0;
// Of the form 8n + 3: their powers take as many different values as those of an odd number can.
const multiplier = (randomInt(2 ** 29) * 8 + 3) | 0;
const wideMultiplier = BigInt(`0x${randomBytes(32).toString("hex")}`) | 1n;

const numberFloat = new Float64Array(1);
const numberInts = new Int32Array(numberFloat.buffer);

const segmentCount = 256;
const segmentShift = 24;
const fewestPlaces = 8;
const noWindow = 0;

/** A hash of 32 bits, equal for keys that are `===`. It cannot be predicted outside the process. */
export function hashOf(key: WindowKey): number {
  if (typeof key === "string") return mixed(hashOfText(key));
  return mixed(typeof key === "number" ? hashOfNumber(key) : hashOfBigInt(key));
}

function hashOfText(text: string): number {
  let hash = seed ^ text.length;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), multiplier);
  return hash;
}

function hashOfNumber(number: number): number {
  // 0 and -0 are equal, but have different bits.
  numberFloat[0] = number === 0 ? 0 : number;
  let hash = Math.imul(seed ^ (numberInts[0] as number), multiplier);
  hash = Math.imul(hash ^ (hash >>> 15), multiplier);
  return Math.imul(hash ^ (hash >>> 13) ^ (numberInts[1] as number), multiplier);
}

// All bits are needed: thousands of SHA-256 hashes that agree in 32 bits can be found in advance.
function hashOfBigInt(key: bigint): number {
  return Number(BigInt.asIntN(32, (key * wideMultiplier) >> 224n)) ^ seed;
}

/** Makes every bit change all others: the last steps of MurmurHash3, by Austin Appleby. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** A hash table with open addressing: each place has the hash and then the window. */
interface Segment {
  places: Int32Array;
  /** The number of places, a power of two, less one. */
  mask: number;
  used: number;
}

/**
 * Windows by their keys. It holds hashes and window numbers, eight bytes per place; each window knows its own key.
 * Unlike a `Map` it can use a hash that hostile keys cannot predict, and the garbage collector has nothing to trace in
 * it.
 *
 * It is divided by hash into 256 segments that grow and shrink separately, because a single table would copy all keys
 * at once.
 */
export class RateLimitIndex {
  readonly #segments: (Segment | undefined)[] = new Array(segmentCount).fill(undefined);
  readonly #keyOf: (window: number) => unknown;

  /** @param keyOf the key of a window that is in the index */
  constructor(keyOf: (window: number) => unknown) {
    this.#keyOf = keyOf;
  }

  /** The window of `key`, whose hash is `hash`; 0 if there is none. */
  get(key: WindowKey, hash: number): number {
    const segment = this.#segments[hash >>> segmentShift];
    if (segment === undefined) return noWindow;
    const { places, mask } = segment;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const window = places[at * 2 + 1] as number;
      if (window === noWindow) return noWindow;
      if (places[at * 2] === hash && this.#keyOf(window) === key) return window;
    }
  }

  /** Adds a window, a number above 0, whose key has this hash and is not yet in the index. */
  add(hash: number, window: number): void {
    const number = hash >>> segmentShift;
    let segment = this.#segments[number];
    if (segment === undefined) {
      segment = { places: new Int32Array(fewestPlaces * 2), mask: fewestPlaces - 1, used: 0 };
      this.#segments[number] = segment;
    }
    segment.used++;
    const places = segment.mask + 1;
    if (segment.used * 4 > places * 3) resize(segment, places * 2);
    put(segment, hash, window);
  }

  /** Removes a window of the index, whose key has this hash. */
  delete(hash: number, window: number): void {
    const number = hash >>> segmentShift;
    const segment = this.#segments[number];
    if (segment === undefined) return;
    take(segment, hash, window);
    segment.used--;
    const places = segment.mask + 1;
    if (segment.used === 0) this.#segments[number] = undefined;
    // Far below half of the threshold for growing, so that a few keys that come and go do not resize it each time.
    else if (places > fewestPlaces && segment.used * 6 < places) resize(segment, places / 2);
  }
}

function resize(segment: Segment, count: number): void {
  const { places } = segment;
  segment.places = new Int32Array(count * 2);
  segment.mask = count - 1;
  for (let at = 0; at < places.length; at += 2) {
    if (places[at + 1] !== noWindow) put(segment, places[at] as number, places[at + 1] as number);
  }
}

function put({ places, mask }: Segment, hash: number, window: number): void {
  let at = hash & mask;
  while (places[at * 2 + 1] !== noWindow) at = (at + 1) & mask;
  places[at * 2] = hash;
  places[at * 2 + 1] = window;
}

function take({ places, mask }: Segment, hash: number, window: number): void {
  let gap = hash & mask;
  while (places[gap * 2 + 1] !== window) gap = (gap + 1) & mask;
  // A search ends at an empty place: an entry after the gap whose own place is the gap or before moves into it.
  for (let at = (gap + 1) & mask; places[at * 2 + 1] !== noWindow; at = (at + 1) & mask) {
    const home = (places[at * 2] as number) & mask;
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    places[gap * 2] = places[at * 2] as number;
    places[gap * 2 + 1] = places[at * 2 + 1] as number;
    gap = at;
  }
  places[gap * 2 + 1] = noWindow;
}
