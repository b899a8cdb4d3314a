import fc from "fast-check";
import { expect, test } from "vitest";
import { internal, refusal } from "../../../src/call/request/failure.ts";
import {
  encodeAccepted,
  encodeChunk,
  encodeFailure,
  encodeStreamEnd,
  encodeSuccess,
} from "../../../src/call/request/response.ts";
import { GenApiError } from "../../../src/core/errors.ts";
import { anyCharacter } from "../../support/any-character.ts";

const ok = {
  request_id: "r",
  result: null,
  success: true,
  error: null,
  async: false,
  has_more: false,
  can_retry: false,
};

test("an assembled Response is the JSON that its parts stand for, whatever the strings hold", () => {
  const text = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.string(),
    fc.constantFrom('"', "\\", "\u2028", "\ud800", "\0", ""),
  );
  fc.assert(
    fc.property(text, fc.jsonValue(), (request_id, result) => {
      const json = JSON.stringify(result);
      const stated = { ...ok, request_id: JSON.parse(JSON.stringify(request_id)), result: JSON.parse(json) };
      expect(JSON.parse(encodeSuccess(request_id, json))).toEqual(stated);
      expect(JSON.parse(encodeAccepted(request_id))).toEqual({ ...stated, result: null, async: true });
      expect(JSON.parse(encodeChunk(request_id, json))).toEqual({ ...stated, async: true, has_more: true });
      expect(JSON.parse(encodeStreamEnd(request_id, json))).toEqual({ ...stated, async: true });
      expect(JSON.parse(encodeFailure(request_id, refusal("timeout", String(request_id), true), false))).toEqual({
        ...stated,
        result: null,
        success: false,
        error: stated.request_id,
        can_retry: true,
        error_code: "timeout",
      });
    }),
  );
});

test("a failure of the function's own carries its reason and whether a retry may help", () => {
  const thrown = new GenApiError("out_of_stock", "Nothing left", { canRetry: true });
  expect(JSON.parse(encodeFailure("r", thrown, false))).toEqual({
    ...ok,
    success: false,
    error: "Nothing left",
    error_code: "failed",
    reason: "out_of_stock",
    can_retry: true,
  });
});

test("an internal failure shows its cause only with detailError", () => {
  const failure = internal(new Error("password is hunter2"));
  expect(JSON.parse(encodeFailure("r", failure, false)).error).toBe("Internal Server Error");
  expect(JSON.parse(encodeFailure("r", failure, true)).error).toBe("Internal Server Error: password is hunter2");
});

test("a rate limited request is told how long to wait", () => {
  const failure = refusal("rate_limited", "Rate limit exceeded. Please retry after 2 seconds.", true, 1_500);
  expect(JSON.parse(encodeFailure("r", failure, false))).toMatchObject({ retry_after_ms: 1_500, can_retry: true });
});
