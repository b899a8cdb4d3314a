import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveChannel } from "../../src/socket/channels/channel.ts";
import { filterSecrets } from "../../src/socket/handshake/log-filter.ts";
import { parseQuery } from "../../src/socket/handshake/query-params.ts";

describe("a query", () => {
  it.each([
    ["a=1&b=2", { a: "1", b: "2" }],
    ["a=1&a=2", { a: "2" }],
    ["a[]=1&a[]=2", { a: ["1", "2"] }],
    ["a[b][c]=1&a[b][d]=2", { a: { b: { c: "1", d: "2" } } }],
    ["a=1&a[b]=2", { a: { b: "2" } }],
    ["a[b]=2&a=1", { a: "1" }],
    ["a[]=1&a[b]=2", { a: { b: "2" } }],
    ["a[b]=1&a[]=2", { a: ["2"] }],
    ["a%5Bb%5D=%C3%A9+x", { a: { b: "é x" } }],
    ["a[=1&b]=2&[c]=3", { "a[": "1", "b]": "2", "[c]": "3" }],
    ["a[b]c=1", { "a[b]c": "1" }],
    ["", {}],
  ])("%j is read", (query, expected) => {
    expect(JSON.parse(JSON.stringify(parseQuery(query)))).toEqual(expected);
  });

  it("takes __proto__ for a key like any other, at every level", () => {
    const params = parseQuery("__proto__[a]=1&b[__proto__][a]=2&c[d][__proto__][a]=3");
    expect(JSON.stringify(params)).toBe(
      '{"__proto__":{"a":"1"},"b":{"__proto__":{"a":"2"}},"c":{"d":{"__proto__":{"a":"3"}}}}',
    );
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it("never fails and never touches what objects inherit, whatever it is", () => {
    const key = fc.constantFrom("a", "b", "", "__proto__", "constructor", "prototype", "toString");
    const name = fc.tuple(key, fc.array(key, { maxLength: 4 })).map(([first, more]) => {
      return first + more.map((each) => `[${each}]`).join("");
    });
    const well = name.map((each) => `${each}=1&`);
    const broken = fc.constantFrom("a", "[", "]", "[]", "=", "&", "__proto__", "%", "%5B", "é");
    const inherited = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 3, arbitrary: well }, broken), { maxLength: 60 }), (parts) => {
        parseQuery(parts.join(""));
        expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(inherited);
      }),
    );
  });

  it("has at most 32 levels in a name; a deeper name is a plain one", () => {
    const nested = (levels: number) => JSON.stringify(parseQuery(`a${"[b]".repeat(levels)}=1`));
    expect(nested(32)).toBe(`${'{"a":'}${'{"b":'.repeat(32)}"1"${"}".repeat(33)}`);
    expect(nested(33)).toBe(JSON.stringify({ [`a${"[b]".repeat(33)}`]: "1" }));
  });

  it("is read only so far and so deep", () => {
    expect(Object.keys(parseQuery(Array.from({ length: 5_000 }, (_, n) => `k${n}=1`).join("&")))).toHaveLength(1_000);
    const deep = `a${"[b]".repeat(3_000)}`;
    expect(Object.keys(parseQuery(`${deep}=1`))).toEqual([deep]);
  });
});

describe("what is logged", () => {
  it("lacks what stands under a name with password or token, at any depth", () => {
    const value = { user: { Password: "x", name: "n" }, list: [{ authToken: { a: 1 } }], token: ["t"], n: 1, no: null };
    expect(filterSecrets(value)).toEqual({
      user: { Password: "[FILTERED]", name: "n" },
      list: [{ authToken: "[FILTERED]" }],
      token: "[FILTERED]",
      n: 1,
      no: null,
    });
  });

  it("shows no secret of any value, and changes nothing else of it", () => {
    const secret = "s3cret-value";
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom("token", "PASSWORD", "my_token_2"), (value, name) => {
        const copy = structuredClone(value);
        expect(JSON.stringify(filterSecrets({ value, [name]: { deep: [secret] } }))).not.toContain(secret);
        expect(value).toEqual(copy);
      }),
    );
  });

  it("ends where nobody reads on, so that depth is harmless", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`);
    expect(JSON.stringify(filterSecrets(deep))).toContain("[FILTERED]");
  });
});

describe("a channel's topic", () => {
  it.each(["", "a*b", "**", "*a"])("%j can never be meant", (topic) => {
    expect(() => resolveChannel({ topic })).toThrow(/must be exact or end in its only "\*"/);
  });
});
