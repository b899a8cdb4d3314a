import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  describe as describeValue,
  errorCodes,
  GenApiError,
  genApiErrorIn,
  isGenApiError,
  messageOf,
  toError,
} from "../../src/core/errors.ts";
import { shown } from "../../src/core/faults.ts";
import { errorText, maxErrorTextBytes } from "../../src/core/foreign/error-text.ts";
import { thrownValues } from "../hostile/thrown-values.js";

test("docs/errors.md has a line for every code, and for nothing else", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  expect(documented.toSorted()).toEqual([...errorCodes].toSorted());
});

test("an error made by another copy of the package is recognised", () => {
  const foreign = Object.assign(new Error("x"), { [Symbol.for("gen-api.GenApiError")]: true });
  expect(isGenApiError(foreign)).toBe(true);
  expect(isGenApiError(new GenApiError("reason", "message"))).toBe(true);
  for (const value of [new Error("x"), null, undefined, "text", {}]) expect(isGenApiError(value)).toBe(false);
});

test("what a function throws is `failed` with its reason; nothing may be retried unless it says so", () => {
  const cause = new Error("behind it");
  expect(new GenApiError("sold_out", "Nothing left", { cause })).toMatchObject({
    name: "GenApiError",
    code: "failed",
    reason: "sold_out",
    message: "Nothing left",
    canRetry: false,
    retryable: false,
    cause,
  });
});

test("anything thrown becomes an Error whose message says something", () => {
  const error = new Error("x");
  expect(toError(error)).toBe(error);
  expect(toError("text").message).toBe("text");
  expect(toError({ a: 1 }).message).toBe("A value other than an Error was thrown: map");
  expect(toError(undefined)).toBeInstanceOf(Error);
});

test.each(thrownValues)("of %s an error is made that anybody can read, and of bounded size", (_, make) => {
  const thrown = make();
  const error = toError(thrown);
  expect(error).toBeInstanceOf(Error);
  expect(toError(error)).toBe(error);
  for (let reads = 0; reads < 2; reads++) {
    for (const text of [error.name, error.message, error.stack]) {
      expect(text).toBeTypeOf("string");
      expect(Buffer.byteLength(text as string)).toBeLessThanOrEqual(maxErrorTextBytes);
    }
    expect(Buffer.byteLength(String((error as { code?: unknown }).code))).toBeLessThanOrEqual(maxErrorTextBytes);
  }
  expect(messageOf(error)).toBe(error.message);
});

test.each(thrownValues)("%s is recognised or not, without a throw", (_, make) => {
  const thrown = make();
  expect(isGenApiError(thrown)).toBeTypeOf("boolean");
  expect(describeValue(thrown)).toBeTypeOf("string");
  expect(shown(thrown)).toBeTypeOf("string");
  const error = genApiErrorIn(thrown);
  if (error === null) return;
  expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(maxErrorTextBytes);
  expect(Buffer.byteLength(error.reason)).toBeLessThanOrEqual(maxErrorTextBytes);
  expect(errorCodes).toContain(error.code);
});

test("a GenApiError of any copy of the package keeps what it says", () => {
  const cause = new Error("behind it");
  const fields = { reason: "sold_out", code: "failed", canRetry: true, retryable: true, retryAfterMs: 5, cause };
  const foreign = Object.assign(new Error("Nothing left"), fields, { [Symbol.for("gen-api.GenApiError")]: true });
  expect(genApiErrorIn(foreign)).toMatchObject({ message: "Nothing left", stack: foreign.stack, ...fields });
  expect(genApiErrorIn(new Error("x"))).toBeNull();
});

test("a text of an error is cut at a whole character, to at most 8 KiB", () => {
  expect(errorText("short")).toBe("short");
  expect(errorText("é".repeat(4096))).toHaveLength(4096);
  for (const long of [
    "x".repeat(9_000),
    "é".repeat(5_000),
    "日本".repeat(2_000),
    "\u{1f600}".repeat(3_000),
    "\ud800".repeat(9_000),
  ]) {
    const cut = errorText(long);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(maxErrorTextBytes);
    expect(Buffer.byteLength(cut)).toBeGreaterThan(maxErrorTextBytes - 8);
    expect(long.startsWith(cut.slice(0, -1)) && cut.endsWith("…")).toBe(true);
  }
  const error = new GenApiError("r".repeat(9_000), "m".repeat(9_000));
  expect([error.reason.length, error.message.length]).toEqual([8_190, 8_190]);
});
