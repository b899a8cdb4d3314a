import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorCodes, GenApiError, isGenApiError, toError } from "../../src/core/errors.ts";

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
  expect(toError({ a: 1 }).message).toBe("A value that is no Error was thrown: map");
  expect(toError(undefined)).toBeInstanceOf(Error);
});
