import fc from "fast-check";
import { type ArgOptions, type ArgTypes, checkArgumentDeclarations } from "../../src/arguments/declarations.ts";

/** JSON as it comes over the wire, as text: objects with every key, numbers beyond a double, nesting of any depth. */
const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("a", "b", "c", "d", "author", "email", "1", "toString", "", "😀") },
  { weight: 1, arbitrary: fc.constantFrom("__proto__", "constructor", "prototype", "hasOwnProperty") },
);
const stringText = fc
  .oneof(fc.string({ unit: "grapheme", maxLength: 6 }), fc.constantFrom("€€€€", "aaaaaaaaaaaa", "", "\u0000"))
  .map((text) => JSON.stringify(text));
const numberText = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
  fc.constantFrom("1e400", "-1e400", "-0", "1e-400", "123456789012345678901234567890"),
);
const uuidText = fc.oneof(
  fc.uuid().map((uuid) => JSON.stringify(uuid)),
  fc.uuid().map((uuid) => JSON.stringify(uuid.replaceAll("-", "").toUpperCase())),
  fc.uuid().map((uuid) => JSON.stringify(uuid.replace("-", ""))),
);
const two = (max: number) => fc.nat(max).map((n) => String(n).padStart(2, "0"));
const datetimeText = fc
  .tuple(
    fc.oneof(
      fc.constantFrom("2024", "2023", "1900", "2000", "0000", "0050", "9999"),
      fc.nat(9999).map((y) => String(y).padStart(4, "0")),
    ),
    two(13),
    two(32),
    two(24),
    two(60),
    two(60),
    fc.constantFrom("", ".5", ".123456789", "."),
    fc.oneof(
      fc.constantFrom("", "Z"),
      fc.tuple(fc.constantFrom("+", "-"), two(24), two(60)).map(([s, h, m]) => `${s}${h}:${m}`),
    ),
  )
  .map(([y, mo, d, h, mi, s, f, o]) => JSON.stringify(`${y}-${mo}-${d}T${h}:${mi}:${s}${f}${o}`));
const scalarText = fc.oneof(stringText, numberText, fc.constantFrom("true", "false", "null"), uuidText, datetimeText);
/** Any JSON. */
export const { json: jsonText } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalarText,
    fc.array(tie("json"), { maxLength: 5 }).map((items) => `[${items.join(",")}]`),
    fc.array(fc.tuple(key, tie("json")), { maxLength: 5 }).map(objectText),
    // As deep as the limit and on both sides of it.
    fc
      .tuple(tie("json"), fc.integer({ min: 27, max: 34 }), fc.boolean())
      .map(([inner, depth, map]) => nested(inner, depth, map)),
  ),
}));

/** A map with these entries, of which keys may repeat. */
export function objectText(entries: readonly (readonly [string, string])[]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
}

function nested(inner: string, depth: number, map: boolean): string {
  return (map ? '{"a":' : "[").repeat(depth) + inner + (map ? "}" : "]").repeat(depth);
}

/** A declaration, with a text that is likely to be near its limits. */
const limits = fc.integer({ min: 1, max: 5 });
const keyList = fc.uniqueArray(fc.constantFrom("a", "b", "author", "email", "toString"), { maxLength: 3 });
const listText = (item: fc.Arbitrary<string>) =>
  fc.array(item, { maxLength: 6 }).map((items) => `[${items.join(",")}]`);
const mapText = fc.array(fc.tuple(key, jsonText), { maxLength: 6 }).map(objectText);
const option = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const shapes: [fc.Arbitrary<ArgOptions>, fc.Arbitrary<string>][] = [
  [fc.record({ type: fc.constant("string"), maxBytes: option(fc.integer({ min: 1, max: 12 })) }), stringText],
  [fc.record({ type: fc.constant("num") }), numberText],
  [fc.record({ type: fc.constant("boolean") }), fc.constantFrom("true", "false")],
  [fc.record({ type: fc.constant("uuid") }), uuidText],
  [fc.record({ type: fc.constant("datetime") }), datetimeText],
  [fc.record({ type: fc.constant("naive_datetime") }), datetimeText],
  [fc.record({ type: fc.constant("list"), maxItems: option(limits) }), listText(jsonText)],
  [
    fc.record({
      type: fc.constant("list_string"),
      maxItems: option(limits),
      maxItemBytes: option(fc.integer({ min: 1, max: 12 })),
    }),
    listText(stringText),
  ],
  [fc.record({ type: fc.constant("list_num"), maxItems: option(limits) }), listText(numberText)],
  [fc.record({ type: fc.constant("list_uuid"), maxItems: option(limits) }), listText(uuidText)],
  [fc.record({ type: fc.constant("list_map"), maxItems: option(limits) }), listText(mapText)],
  [
    fc.record({
      type: fc.constant("map"),
      maxItems: option(limits),
      required: option(keyList),
      accept: option(keyList),
    }),
    mapText,
  ],
  [fc.record({ type: fc.constant("any") }), jsonText],
];

interface Argument {
  readonly name: string;
  readonly type: ArgOptions;
  /** What is sent, as JSON text; undefined where the argument is left out. */
  readonly sent: string | undefined;
}

const anyArgument: fc.Arbitrary<Argument> = fc
  .constantFrom(...shapes)
  .chain(([shape, fitting]) =>
    fc.record({
      name: fc.oneof(
        fc.constantFrom(
          "a",
          "b",
          "c",
          "title",
          "toString",
          "valueOf",
          "😀",
          "it's",
          'quo"te',
          "back\\slash",
          "\u2028",
          "`$",
        ),
        fc.string({ minLength: 1, maxLength: 3 }),
      ),
      shape,
      allowNil: fc.constantFrom(undefined, undefined, true, false),
      defaultText: fc.option(fitting, { nil: undefined, freq: 3 }),
      sent: fc.oneof(
        { weight: 6, arbitrary: fitting },
        { weight: 1, arbitrary: jsonText },
        { weight: 1, arbitrary: fc.constant(undefined) },
      ),
    }),
  )
  .map(({ name, shape, allowNil, defaultText, sent }) => ({
    name,
    sent,
    type: { ...shape, allowNil, defaultValue: defaultText === undefined ? undefined : JSON.parse(defaultText) },
  }));

/** Declarations that are right, and the JSON text of arguments that may be. */
export const anyCall = fc
  .record({
    declared: fc.uniqueArray(anyArgument, { selector: ({ name }) => name, maxLength: 5 }),
    order: fc.constantFrom("declared", "reversed", "map"),
    extra: fc.option(fc.tuple(key, jsonText), { freq: 8, nil: undefined }),
  })
  .map(({ declared, order, extra }) => {
    const argTypes: ArgTypes = Object.fromEntries(declared.map(({ name, type }) => [name, type]));
    const names = declared.map(({ name }) => name);
    const argOrders = order === "map" ? ("map" as const) : order === "reversed" ? names.toReversed() : null;
    const sent = declared.filter(({ sent }) => sent !== undefined).map(({ name, sent }) => [name, sent!] as const);
    return { argTypes, argOrders, text: objectText(extra === undefined ? sent : [...sent, extra]) };
  })
  .filter(({ argTypes, argOrders }) => checkArgumentDeclarations(argTypes, argOrders).length === 0);
