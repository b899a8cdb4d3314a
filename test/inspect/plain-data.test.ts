import { describe, expect, it, test } from "vitest";
import { plainData } from "../../src/actor/inspection/plain-data.ts";
import { libraryError } from "../../src/core/errors.ts";

const shown = (value: unknown) => plainData("value", value, undefined);

describe("plain data", () => {
  it("is what JSON can say, copied", () => {
    const value = { text: "a", number: 1, yes: true, none: null, list: [1, { two: 2 }] };
    expect(shown(value)).toEqual(value);
    expect(shown(value)).not.toBe(value);
    expect(shown(new Date(0))).toBe("1970-01-01T00:00:00.000Z");
    expect(shown(new Date(Number.NaN))).toBe("null");
    expect(shown(12n)).toBe("12");
    expect(shown(Number.POSITIVE_INFINITY)).toBe("Infinity");
  });

  it("has no functions, and of classes the name alone", () => {
    class Vault {
      secret = "hunter2";
    }
    expect(shown({ run: () => 1, symbol: Symbol("a"), list: [() => 1, undefined] })).toEqual({ list: [null, null] });
    expect(shown([new Map([["a", "hunter2"]]), new Set(["hunter2"]), Buffer.from("hunter2"), new Vault()])).toEqual([
      "[Map]",
      "[Set]",
      "[Buffer]",
      "[Vault]",
    ]);
  });

  it("is bounded in length, width and depth, so that cycles end", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(JSON.stringify(shown(cycle)).length).toBeLessThan(100);
    expect((shown("x".repeat(1e6)) as string).length).toBe(301);
    expect(shown(Array.from({ length: 1e5 }, () => 1))).toHaveLength(51);
    const wide = Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => [`k${i}`, i]));
    expect(Object.keys(shown(wide) as object)).toHaveLength(50);
  });

  it("has of errors the name, the code and the message, never what else they carry", () => {
    const cause = new Error("hunter2");
    const error = Object.assign(new TypeError("wrong", { cause }), { code: "EWRONG", password: "hunter2" });
    expect(shown(error)).toEqual({ name: "TypeError", code: "EWRONG", message: "wrong" });
    expect(shown(libraryError("timeout", "late", { cause }))).toEqual({
      name: "GenApiError",
      code: "timeout",
      message: "late",
    });
  });

  it("has no credentials of URLs", () => {
    for (const [text, safe] of [
      ["nats://user:pass@host:4222 refused", "nats://…@host:4222 refused"],
      ["dial wss://u:p/a@ss@host/node?token=x#y failed", "dial wss://…@host/node?… failed"],
      ["see https://a.example/b", "see https://a.example/b"],
      ["a@b.example", "a@b.example"],
    ]) {
      expect(shown(text)).toBe(safe);
    }
  });

  it("does not take a key for a prototype, and survives whatever throws when it is read", () => {
    const copy = shown(JSON.parse('{"__proto__":{"polluted":1},"a":1}')) as Record<string, unknown>;
    expect(copy).toEqual({ a: 1 });
    expect(copy.polluted).toBeUndefined();
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("hunter2");
        },
      },
    );
    expect(shown({ hostile })).toEqual({ hostile: "[withheld]" });
    expect(
      shown(
        Object.defineProperty(new Error("x"), "message", {
          get: () => {
            throw new Error("y");
          },
        }),
      ),
    ).toBe("[withheld]");
  });

  it("lets redact replace each field, and withholds what redact throws at or returns a promise for", () => {
    const redact = (key: string, value: unknown) => {
      if (key === "drop") return undefined;
      if (key === "mask") return "*";
      if (key === "throw") throw new Error("redact");
      // Nobody but us hears of it: an unhandled rejection fails the run.
      if (key === "reject") return Promise.reject(new Error("redact"));
      if (key === "promise") return Promise.resolve(value);
      return value;
    };
    const value = { drop: 1, mask: { a: 1 }, throw: "x", reject: "x", promise: "x", list: [{ mask: 1 }] };
    expect(plainData("value", value, redact)).toEqual({
      mask: "*",
      throw: "[withheld]",
      reject: "[withheld]",
      promise: "[withheld]",
      list: [{ mask: "*" }],
    });
  });
});

test("has at most 2 000 values in all, whatever contains what", () => {
  let value: unknown = "x";
  for (let level = 0; level < 5; level++) value = Array(50).fill(value);
  let values = 0;
  plainData("value", value, (_key, part) => {
    values++;
    return part;
  });
  expect(values).toBe(2_000);
});
