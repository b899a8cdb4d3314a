/**
 * MurmurHash3_x86_32 (Austin Appleby, public domain) of a string's UTF-16LE bytes. Fast and evenly spread, so that
 * every gateway places the same key on the same node; not resistant to deliberate collisions.
 *
 * @param seed any 32-bit number: another seed is another hash function
 * @returns a whole number in [0, 2^32)
 */
export function murmurHash(text: string, seed = 0): number {
  let hash = seed;
  // Two UTF-16 units make one of the algorithm's blocks of four bytes.
  const blocksEnd = text.length & ~1;
  for (let index = 0; index < blocksEnd; index += 2) {
    hash ^= scramble(text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16));
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  if (blocksEnd < text.length) hash ^= scramble(text.charCodeAt(blocksEnd));
  return mix(hash ^ (text.length * 2));
}

function scramble(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

/** MurmurHash3's finalizer: every bit of the input changes every bit of the output with even odds. */
export function mix(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
