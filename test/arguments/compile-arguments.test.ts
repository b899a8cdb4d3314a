import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { compileArguments } from "../../src/arguments/compile-arguments.ts";
import type { ArgOrders, ArgType, ArgTypes } from "../../src/arguments/declarations.ts";
import { isGenApiError } from "../../src/core/errors.ts";

/** Both forms of the validator, which must agree. */
function both(argTypes: ArgTypes | null, argOrders?: ArgOrders) {
  const [generated, plain] = [0, Infinity].map((generateAfter) =>
    compileArguments(argTypes, argOrders, { generateAfter }),
  );
  return (args: Record<string, unknown>) => {
    const [one, other] = [generated!(args), plain!(args)].map((outcome) =>
      isGenApiError(outcome) ? outcome.message : outcome,
    );
    expect(one).toStrictEqual(other);
    return one;
  };
}

/** What becomes of one value sent for an argument `v` of this type: the value passed, or the message. */
function sent(type: ArgType, value: unknown): unknown {
  const outcome = both({ v: type })({ v: value });
  return Array.isArray(outcome) ? outcome[0] : outcome;
}

const createPost: ArgTypes = {
  title: { type: "string", maxBytes: 200 },
  tags: { type: "list_string", maxItems: 10, maxItemBytes: 50 },
  published: { type: "boolean", defaultValue: false },
  metadata: { type: "map", maxItems: 50, required: ["author"], accept: ["author", "email"] },
};
const post = { title: "T", tags: ["a"], published: true, metadata: { author: "me" } };

describe("the arguments of a call", () => {
  it("come in the order of the declaration where no other is given", () => {
    expect(both({ b: "num", a: "num" })({ a: 1, b: 2 })).toEqual([2, 1]);
    expect(both({ b: "num", a: "num" }, [])({ a: 1, b: 2 })).toEqual([2, 1]);
  });

  it("come in the order of argOrders", () => {
    expect(both({ b: "num", a: "num" }, ["a", "b"])({ b: 2, a: 1 })).toEqual([1, 2]);
    expect(both({ 2: "num", 1: "num" }, ["2", "1"])({ 1: 1, 2: 2 })).toEqual([2, 1]);
  });

  it('come as one plain map with argOrders "map", defaults and nulls included', () => {
    const types = { a: "num", b: { type: "num", defaultValue: 7 }, c: { type: "any", allowNil: true } } as const;
    expect(both(types, "map")({ a: 1 })).toStrictEqual([{ a: 1, b: 7, c: null }]);
    expect(both({}, "map")({ a: 1 })).toStrictEqual([{}]);
  });

  it("are none without argTypes, whatever is sent", () => {
    expect(both(null)({ x: 1 })).toEqual([]);
    expect(both({})({ x: 1, constructor: 1 })).toEqual([]);
  });

  it("are not found where an object only inherits them", () => {
    const types = { toString: { type: "any", allowNil: true }, valueOf: "any" } as const;
    expect(both(types)({})).toBe('Argument "valueOf": expected any value but null, got nothing');
    expect(both(types)({ valueOf: 1, toString: 2 })).toEqual([2, 1]);
  });

  it("count undefined, which only a host program can pass, as missing", () => {
    expect(both({ a: { type: "num", defaultValue: 1 } })({ a: undefined, b: undefined })).toEqual([1]);
  });

  it("may be more than code is generated for", () => {
    const names = Array.from({ length: 200 }, (_, index) => `a${index}`);
    const all = both(Object.fromEntries(names.map((name) => [name, "num" as const])));
    expect(all(Object.fromEntries(names.map((name, index) => [name, index])))).toEqual(names.map((_, index) => index));
  });
});

describe("a missing argument", () => {
  it("takes its default, else null where allowed, else is refused", () => {
    const nilDefault = both({
      name: "string",
      age: { type: "num", defaultValue: 18 },
      nick: { type: "string", allowNil: true },
    });
    expect(nilDefault({ name: "n" })).toEqual(["n", 18, null]);
    expect(nilDefault({ name: "n", nick: null })).toEqual(["n", 18, null]);
    expect(nilDefault({})).toBe('Argument "name": expected string, got nothing');
  });

  it("takes its default also where null is allowed", () => {
    expect(both({ a: { type: "num", allowNil: true, defaultValue: 5 } })({})).toEqual([5]);
    expect(both({ a: { type: "num", allowNil: true, defaultValue: 5 } })({ a: null })).toEqual([null]);
    expect(both({ a: { type: "num", allowNil: true, defaultValue: null } })({})).toEqual([null]);
  });

  it("gets a default of its own each time, converted as if it had been sent", () => {
    const validate = compileArguments(
      { list: { type: "list", defaultValue: [[1]] }, at: { type: "datetime", defaultValue: "2024-01-01T00:00:00Z" } },
      null,
    );
    const first = validate({}) as [unknown[][], Date];
    first[0][0]!.push("changed by the function");
    first[1].setTime(0);
    expect(validate({})).toEqual([[[1]], new Date("2024-01-01T00:00:00Z")]);
  });

  it("is no null sent: that needs allowNil, default or not", () => {
    expect(both({ a: { type: "num", defaultValue: 5 } })({ a: null })).toBe('Argument "a": expected number, got null');
    expect(sent("any", null)).toBe('Argument "v": expected any value but null, got null');
    expect(sent({ type: "any", allowNil: true }, null)).toBe(null);
  });
});

describe("the types", () => {
  it("string: counts bytes of UTF-8, at most 3000 unless told otherwise", () => {
    expect(sent("string", "a".repeat(3000))).toHaveLength(3000);
    expect(sent("string", "€".repeat(1000))).toHaveLength(1000);
    expect(sent("string", "a".repeat(3001))).toBe(
      'Argument "v": expected string of at most 3000 bytes, got string of 3001 bytes',
    );
    expect(sent("string", "€".repeat(1001))).toBe(
      'Argument "v": expected string of at most 3000 bytes, got string of 3003 bytes',
    );
    expect(sent({ type: "string", maxBytes: 4 }, "😀")).toBe("😀");
    expect(sent({ type: "string", maxBytes: 3 }, "😀")).toMatch("got string of 4 bytes");
    expect(sent({ type: "string", maxBytes: 5000 }, "a".repeat(4000))).toHaveLength(4000);
    expect(sent("string", "")).toBe("");
    for (const value of [true, 1, null, [], {}])
      expect(sent("string", value)).toMatch(/^Argument "v": expected string, got /);
  });

  it("num: finite", () => {
    for (const value of [0, -1.5, 1e25, Number.MAX_VALUE, Number.MIN_VALUE]) expect(sent("num", value)).toBe(value);
    expect(sent("num", JSON.parse("1e400"))).toBe('Argument "v": expected finite number, got number out of range');
    for (const value of [true, "1", null, [1]])
      expect(sent("num", value)).toMatch(/^Argument "v": expected number, got /);
  });

  it("boolean", () => {
    expect([sent("boolean", true), sent("boolean", false)]).toEqual([true, false]);
    for (const value of [0, 1, "true", null])
      expect(sent("boolean", value)).toMatch(/^Argument "v": expected boolean, got /);
  });

  it("uuid: 32 hexadecimal digits, all dashes or none, any case and version", () => {
    const uuid = "550e8400-e29b-41d4-a716-446655440000";
    for (const value of [uuid, uuid.toUpperCase(), uuid.replaceAll("-", ""), "ffffffff-ffff-ffff-ffff-ffffffffffff"]) {
      expect(sent("uuid", value)).toBe(value);
    }
    for (const value of [
      "nope",
      1,
      uuid.replace("-", ""),
      `${uuid}\n`,
      ` ${uuid}`,
      `{${uuid}}`,
      uuid.replace("5", "g"),
      uuid.slice(0, 32),
    ]) {
      expect(sent("uuid", value)).toMatch(/^Argument "v": expected UUID of 32 hexadecimal digits, got /);
    }
    expect(sent("uuid", "nope")).toMatch("got string of 4 characters");
  });

  it("datetime: ISO 8601 with an offset or Z, as a Date", () => {
    const instant = (text: string) => (sent("datetime", text) as Date).toISOString();
    expect(sent("datetime", "2024-01-01T00:00:00Z")).toEqual(new Date("2024-01-01T00:00:00Z"));
    expect(instant("2024-01-01T00:00:00+07:00")).toBe("2023-12-31T17:00:00.000Z");
    expect(instant("2024-01-01T00:00:00-0130")).toBe("2024-01-01T01:30:00.000Z");
    expect(instant("2024-01-01 00:00+07")).toBe("2023-12-31T17:00:00.000Z");
    expect(instant("2024-02-29t23:59:59,9999999999z")).toBe("2024-02-29T23:59:59.999Z");
    expect(instant("0001-01-01T00:00:00Z")).toBe("0001-01-01T00:00:00.000Z");
    expect(instant("9999-12-31T23:59:59.5Z")).toBe("9999-12-31T23:59:59.500Z");
  });

  it.each([
    "nope",
    "",
    "2024-01-01",
    "2024-01-01T00:00:00",
    "2024-13-01T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2024-01-32T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:60Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00+00:60",
    "2024-01-01T00:00:00ZZ",
    "2024-01-01T00:00:00Z\n",
    "20240101T000000Z",
    "+002024-01-01T00:00:00Z",
    "Mon, 01 Jan 2024 00:00:00 GMT",
    `2024-01-01T00:00:00.${"0".repeat(100)}Z`,
  ])("datetime: not %j", (text) => {
    expect(sent("datetime", text)).toMatch(
      /^Argument "v": expected ISO 8601 date and time with an offset or Z, got string of /,
    );
  });

  it("naive_datetime: stays a string, and loses an offset, which does not matter", () => {
    expect(sent("naive_datetime", "2024-01-01T00:00:00")).toBe("2024-01-01T00:00:00");
    expect(sent("naive_datetime", "2024-01-01T00:00:00Z")).toBe("2024-01-01T00:00:00");
    expect(sent("naive_datetime", "2024-01-01T00:00:00.25-07:00")).toBe("2024-01-01T00:00:00.25");
    for (const value of ["x", 5, "2024-02-30T00:00:00", "2024-01-01T00:00:00+25:00"]) {
      expect(sent("naive_datetime", value)).toMatch(/^Argument "v": expected ISO 8601 date and time, got /);
    }
  });

  it("list: any JSON values, at most 1000 of its own", () => {
    const mixed = [1, "a", true, null, [[1]], { a: [null] }];
    expect(sent("list", mixed)).toBe(mixed);
    expect(sent("list", Array(1000).fill(1))).toHaveLength(1000);
    expect(sent("list", Array(1001).fill(1))).toBe(
      'Argument "v": expected list of at most 1000 items, got list of 1001 items',
    );
    expect(sent({ type: "list", maxItems: 1 }, [[1, 2, 3]])).toEqual([[1, 2, 3]]);
    expect(sent("list", {})).toBe('Argument "v": expected list, got map');
    expect(sent("list", [1, { a: [JSON.parse("1e999")] }])).toBe(
      'Argument "v[1].a[0]": expected finite number, got number out of range',
    );
  });

  it("lists of one type: name the item that is not of it", () => {
    expect(sent("list_string", ["a", "b"])).toEqual(["a", "b"]);
    expect(sent("list_string", ["a", 1])).toBe('Argument "v[1]": expected string, got number');
    expect(sent("list_string", ["a".repeat(3001)])).toMatch("expected string of at most 3000 bytes");
    expect(sent({ type: "list_string", maxItemBytes: 2 }, ["ab", "€"])).toMatch(
      '"v[1]": expected string of at most 2 bytes, got string of 3 bytes',
    );
    expect(sent("list_string", "x")).toBe('Argument "v": expected list, got string');
    expect(sent("list_num", [1, 2.5])).toEqual([1, 2.5]);
    expect(sent("list_num", ["1"])).toBe('Argument "v[0]": expected number, got string');
    expect(sent("list_num", [null])).toBe('Argument "v[0]": expected number, got null');
    expect(sent("list_uuid", ["x"])).toMatch('"v[0]": expected UUID');
    expect(sent("list_map", [{ a: 1 }, {}])).toEqual([{ a: 1 }, {}]);
    expect(sent("list_map", [{}, []])).toBe('Argument "v[1]": expected map, got list');
    expect(sent("list_map", {})).toBe('Argument "v": expected list, got map');
  });

  it("map: at most 1000 items of its own", () => {
    const map = (size: number) => Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, index]));
    expect(sent("map", { a: [{ b: null }] })).toEqual({ a: [{ b: null }] });
    expect(sent("map", {})).toEqual({});
    expect(sent("map", map(1000))).toEqual(map(1000));
    expect(sent("map", map(1001))).toBe('Argument "v": expected map of at most 1000 items, got map of more');
    for (const value of ["x", [], null, 1]) expect(sent("map", value)).toMatch(/^Argument "v": expected map, got /);
  });

  it("map: required keys, present and not null, and no others than those accepted", () => {
    const type = createPost.metadata!;
    expect(sent(type, { author: "me", email: null })).toEqual({ author: "me", email: null });
    expect(sent(type, { email: "e" })).toBe('Argument "v": expected map with the key "author", got map without it');
    expect(sent(type, { author: null })).toBe(
      'Argument "v": expected map with the key "author", got map with null there',
    );
    expect(sent(type, { author: "a", x: 1 })).toBe(
      'Argument "v": expected map with no other keys than "author", "email", got map with the key "x"',
    );
    expect(sent({ type: "map", required: ["toString"] }, {})).toBe(
      'Argument "v": expected map with the key "toString", got map without it',
    );
    expect(sent({ type: "map", accept: [] }, {})).toEqual({});
  });

  it("any: everything JSON can say but null", () => {
    for (const value of [1, "x", true, [], { a: 1 }, Array(2000).fill(1)]) expect(sent("any", value)).toBe(value);
  });

  it("takes from a host program nothing that JSON cannot say", () => {
    const notJson = [new Date(), new Map(), () => 1, 1n, Symbol("s"), Number.NaN, new (class Post {})()];
    for (const value of notJson) {
      expect(sent("any", value)).toMatch(/^Argument "v": expected /);
      expect(sent("list", [value])).toMatch(/^Argument "v\[0\]": expected /);
      expect(sent("map", { a: value })).toMatch(/^Argument "v.a": expected /);
      expect(sent("map", value)).toMatch(/^Argument "v": expected map, got /);
    }
    expect(sent("list", Array(1))).toBe('Argument "v[0]": expected JSON value, got nothing');
    expect(sent("map", Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  });
});

describe("the example of a post", () => {
  const validate = both(createPost);

  it("passes in order, published false where it is missing", () => {
    expect(validate(post)).toEqual(["T", ["a"], true, { author: "me" }]);
    const { published: _, ...unpublished } = post;
    expect(validate(unpublished)).toEqual(["T", ["a"], false, { author: "me" }]);
    expect(validate({ ...post, tags: [] })).toEqual(["T", [], true, { author: "me" }]);
  });

  it("names what is wrong", () => {
    expect(validate({ ...post, title: 5 })).toBe('Argument "title": expected string, got number');
    expect(validate({ ...post, tags: Array(11).fill("t") })).toBe(
      'Argument "tags": expected list of at most 10 items, got list of 11 items',
    );
    expect(validate({ ...post, tags: ["x".repeat(51)] })).toBe(
      'Argument "tags[0]": expected string of at most 50 bytes, got string of 51 bytes',
    );
    expect(validate({ ...post, more: 1 })).toBe(
      'Argument "more": expected no other arguments than "title", "tags", "published", "metadata", got another',
    );
  });
});

describe("hostile arguments", () => {
  const nestedTo = (depth: number, open: string, close: string) => JSON.parse(open.repeat(depth) + close.repeat(depth));

  it.each(["list", "any"] as const)("%s: nests to depth 32, its own list counted, and no deeper", (type) => {
    expect(Array.isArray(sent(type, nestedTo(32, "[", "]")))).toBe(true);
    expect(sent(type, nestedTo(33, "[", "]"))).toMatch(
      "expected at most 32 lists and maps within each other, got more",
    );
  });

  it("maps count as lists do", () => {
    const maps = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`);
    expect(typeof sent("map", maps(32))).toBe("object");
    expect(sent("map", maps(33))).toMatch("expected at most 32");
    expect(Array.isArray(sent("list_map", [maps(31)]))).toBe(true);
    expect(sent("list_map", [maps(32)])).toMatch("expected at most 32");
    expect(sent("any", maps(33))).toMatch("expected at most 32");
  });

  it("10 000 lists or maps within each other are refused, wherever they are", () => {
    for (const deep of [nestedTo(10_000, "[", "]"), JSON.parse(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`)]) {
      for (const type of ["list", "map", "any", "list_map", "string", "num", "list_string", "datetime"] as const) {
        expect(sent(type, deep)).toMatch(/^Argument "v[^"]*": expected /);
      }
      expect(both({ a: "num" })({ a: 1, deep })).toMatch('Argument "deep"');
      expect(both(null)({ deep })).toEqual([]);
    }
  });

  it("forbidden keys are refused at every depth and at the top", () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const poison = JSON.parse(`{${JSON.stringify(key)}:{"polluted":true}}`);
      expect(sent("map", poison)).toBe(`Argument "v": expected map without the key "${key}", got map with it`);
      expect(sent("any", [{ a: poison }])).toMatch(`Argument "v[0].a": expected map without the key "${key}"`);
      expect(sent("list_map", [poison])).toMatch(`Argument "v[0]": expected map without the key "${key}"`);
      expect(sent({ type: "map", accept: ["a"] }, poison)).toMatch(`without the key "${key}"`);
      expect(both({ a: { type: "num", defaultValue: 1 } })(poison)).toMatch(
        `Argument "${key}": expected no other arguments`,
      );
    }
  });

  it("a list of a million items or a string of megabytes is refused without being looked through", () => {
    const untouchable = new Proxy(Array(1_000_000), {
      get: (target, key) => (key === "length" ? target.length : expect.fail(`read ${String(key)}`)),
    });
    expect(sent("list", untouchable)).toMatch("got list of 1000000 items");
    expect(sent("string", "x".repeat(1_000_000))).toMatch("got string of 1000000 bytes");
    expect(sent("datetime", "2".repeat(1_000_000))).toMatch("got string of 1000000 characters");
    expect(sent("uuid", "a".repeat(1_000_000))).toMatch("got string of 1000000 characters");
  });

  it("messages never repeat a long text of the client's", () => {
    const long = "k".repeat(100_000);
    const messages = [
      sent("map", { [long]: { [long]: [undefined] } }),
      sent({ type: "map", accept: ["a"] }, { [long]: 1 }),
      sent("any", JSON.parse(`${`{"${"k".repeat(1000)}":`.repeat(31)}[[]]${"}".repeat(31)}`)),
      both({ a: "num" })({ a: 1, [long]: 1 }),
      sent("uuid", long),
    ];
    for (const message of messages) expect((message as string).length).toBeLessThan(2_000);
  });
});

it("changes nothing when code is generated for a function that is called often", () => {
  const validate = compileArguments(createPost, null);
  for (let call = 0; call < 300; call++) {
    expect(validate(post)).toEqual(["T", ["a"], true, { author: "me" }]);
    expect(validate({ ...post, title: call })).toMatchObject({
      message: 'Argument "title": expected string, got number',
    });
  }
});

it("a refusal carries no stack trace, and leaves those of others alone", () => {
  const refusal = compileArguments({ a: "num" }, null)({});
  expect((refusal as Error).stack).toBe('GenApiError: Argument "a": expected number, got nothing');
  expect(new Error("other").stack).toMatch("compile-arguments.test.ts");
});

it("declarations with faults are not compiled, and every fault is told", () => {
  expect(() => compileArguments({ a: "strin", b: { type: "num", maxItems: 3 } } as unknown as ArgTypes, ["a"])).toThrow(
    /argTypes\.a must be one of .*; argTypes\.b\.maxItems does not apply to num.*; argOrders must name every argument/,
  );
});

it("works where Node forbids generating code", () => {
  const script = `
    const { compileArguments } = await import(${JSON.stringify(new URL("../../dist/arguments/compile-arguments.js", import.meta.url).href)});
    const validate = compileArguments({ a: "string", b: "num" }, ["b", "a"]);
    process.stdout.write(JSON.stringify([validate({ a: "x", b: 1 }), validate({ a: 1, b: 1 }).message]));`;
  const run = spawnSync(
    process.execPath,
    ["--disallow-code-generation-from-strings", "--input-type=module", "--eval", script],
    { encoding: "utf8" },
  );
  expect(run.stderr).toBe("");
  expect(JSON.parse(run.stdout)).toEqual([[1, "x"], 'Argument "a": expected string, got number']);
});

describe("lists and maps that contain each other very often", () => {
  let value: unknown = { a: 1 };
  for (let level = 0; level < 20; level++) value = [value, value];

  it("are refused in one argument", () => {
    expect(sent("any", value)).toContain("at most 1000000 values in all");
    expect(sent("map", { value })).toContain("at most 1000000 values in all");
  });

  it("are refused where no argument alone has too many", () => {
    const part = (value as unknown[][])[0]?.[0];
    const types = { a: "any", b: "map", c: "list" } as const;
    const alone = [{ a: part }, { b: { part } }, { c: [part] }];
    for (const [at, args] of alone.entries()) {
      const name = "abc"[at] as keyof typeof types;
      expect(Array.isArray(compileArguments({ [name]: types[name] }, null)(args))).toBe(true);
    }
    expect(both(types)({ a: part, b: { part }, c: [part] })).toContain("at most 1000000 values in all");
  });
});
