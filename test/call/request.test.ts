import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRequest, requestIdOf } from "../../src/call/request.ts";

const valid = { request_id: "r1", request_type: "get", service: "users" };
const problem = (payload: unknown) => {
  const parsed = parseRequest(payload);
  return "code" in parsed ? parsed.message : null;
};

test("a minimal request has no arguments and no version", () => {
  expect(parseRequest(valid)).toEqual({
    requestId: "r1",
    requestType: "get",
    service: "users",
    args: {},
    version: null,
    claimedUserId: null,
    claimedDeviceId: null,
  });
  expect(parseRequest({ ...valid, args: null, version: null })).toEqual(parseRequest(valid));
});

describe("a payload that is no request is answered with what is wrong:", () => {
  test.each([
    [null, "Invalid request: The payload must be a map, got null"],
    ["text", "Invalid request: The payload must be a map, got string"],
    [[1], "Invalid request: The payload must be a map, got list"],
    [{}, "Invalid request: Missing required fields: request_type, request_id, service"],
    [{ ...valid, service: "" }, "Invalid request: Missing required fields: service"],
    [{ ...valid, service: 5 }, "Invalid request: service must be a string, got number"],
    [{ ...valid, request_id: { a: 1 } }, "Invalid request: request_id must be a string, got map"],
    [{ ...valid, args: 5 }, "Invalid request: args must be a map, got number"],
    [{ ...valid, args: [] }, "Invalid request: args must be a map, got list"],
    [{ ...valid, version: 1 }, "Invalid request: version must be a semantic version or null, got 1"],
    [{ ...valid, user_id: 1 }, "Invalid request: user_id must be a string or null, got number"],
    [{ ...valid, device_id: [] }, "Invalid request: device_id must be a string or null, got list"],
    [{ ...valid, user_roles: ["a", 1] }, "Invalid request: user_roles must be a list of strings or null, got list"],
  ])("%j", (payload, message) => {
    expect(problem(payload)).toBe(message);
  });
});

test("a missing or unusable request id is answered as unknown", () => {
  for (const payload of [null, 5, {}, { request_id: "" }, { request_id: 7 }])
    expect(requestIdOf(payload)).toBe("unknown");
  expect(requestIdOf(valid)).toBe("r1");
});

test("any JSON is read without a throw", () => {
  const field = fc.constantFrom("request_id", "request_type", "service", "args", "version", "user_roles", "__proto__");
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(field, fc.jsonValue())), (payload) => {
      const parsed = parseRequest(payload);
      if (!("code" in parsed)) expect(requestIdOf(payload)).toBe(parsed.requestId);
    }),
  );
});
