import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveChannel } from "../../src/socket/channel.ts";
import { filterSecrets } from "../../src/socket/log-filter.ts";
import { parseQuery } from "../../src/socket/query-params.ts";

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

  it("never fails and never touches what objects inherit, whatever it is", () => {
    const part = fc.constantFrom(
      "a",
      "[",
      "]",
      "[]",
      "=",
      "&",
      "__proto__",
      "constructor",
      "%",
      "%5B",
      "é",
      "toString",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        parseQuery(parts.join(""));
        expect(Object.keys(Object.prototype)).toEqual([]);
        expect(({} as { a?: unknown }).a).toBeUndefined();
      }),
    );
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
