import fc from "fast-check";

/**
 * Any character but half of a surrogate pair: a `unit` of strings as fast-check's own "binary" is, whose tables take
 * seconds to make in each process.
 */
export const anyCharacter: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 0xff }) },
    { weight: 1, arbitrary: fc.integer({ min: 0x100, max: 0xd7ff }) },
    { weight: 1, arbitrary: fc.integer({ min: 0xe000, max: 0x10ffff }) },
  )
  .map((code) => String.fromCodePoint(code));
