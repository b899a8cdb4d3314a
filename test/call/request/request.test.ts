import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRequest, requestIdOf } from "../../../src/call/request/request.ts";
import { shown } from "../../../src/core/faults.ts";

const valid = { request_id: "r1", request_type: "get", service: "users" };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
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
    timeoutMs: null,
    window: null,
    idempotencyKey: null,
    resume: false,
    trace: null,
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
    [{ ...valid, args: new Uint8Array(1) }, "Invalid request: args must be a map, got bytes"],
    [{ ...valid, version: 1 }, "Invalid request: version must be a semantic version or null, got 1"],
    [{ ...valid, user_id: 1 }, "Invalid request: user_id must be a string or null, got number"],
    [{ ...valid, device_id: [] }, "Invalid request: device_id must be a string or null, got list"],
    [{ ...valid, user_roles: ["a", 1] }, "Invalid request: user_roles must be a list of strings or null, got list"],
    [{ ...valid, trace: traceparent }, "Invalid request: trace must be a map or null, got string"],
    [
      { ...valid, trace: { traceparent: 1 } },
      "Invalid request: trace.traceparent must be a string or null, got number",
    ],
    ...[0, 1_025, 1.5, "8", true, [8], {}].map((window): [object, string] => [
      { ...valid, window },
      `Invalid request: window must be a whole number from 1 to 1024 or null, got ${shown(window)}`,
    ]),
    [{ ...valid, window: 1, resume: "true" }, "Invalid request: resume must be a boolean or null, got string"],
    [
      { ...valid, idempotency_key: 5 },
      "Invalid request: idempotency_key must be a string of 1 to 128 bytes or null, got number",
    ],
    [
      { ...valid, idempotency_key: "" },
      "Invalid request: idempotency_key must be a string of 1 to 128 bytes or null, got 0 bytes",
    ],
    [
      { ...valid, idempotency_key: "é".repeat(65) },
      "Invalid request: idempotency_key must be a string of 1 to 128 bytes or null, got 130 bytes",
    ],
    [{ ...valid, resume: true }, "Invalid request: resume requires a window"],
    [{ ...valid, resume: true, window: null }, "Invalid request: resume requires a window"],
    [{ ...valid, trace: { tracestate: [] } }, "Invalid request: trace.tracestate must be a string or null, got list"],
  ])("%j", (payload, message) => {
    expect(problem(payload)).toBe(message);
  });
});

describe("a request's trace context", () => {
  const traceOf = (trace: unknown) => {
    const parsed = parseRequest({ ...valid, trace });
    return "code" in parsed ? parsed : parsed.trace;
  };

  test("is read as W3C has it", () => {
    expect(traceOf({ traceparent, tracestate: "a=1,b=2" })).toEqual({ traceparent, tracestate: "a=1,b=2" });
    expect(traceOf({ traceparent })).toEqual({ traceparent });
  });

  test.each([
    "",
    "00-1-2-03",
    traceparent.toUpperCase(),
    `ff${traceparent.slice(2)}`,
    `${traceparent}-more`,
    ` ${traceparent}`,
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
  ])("counts as absent when it is malformed: %j", (malformed) => {
    expect(traceOf({ traceparent: malformed, tracestate: "a=1" })).toBeNull();
  });

  test("of a later version is read as far as it is known", () => {
    expect(traceOf({ traceparent: `01${traceparent.slice(2)}-more` })).toEqual({ traceparent });
  });

  test("goes without a tracestate that is too long or not ASCII", () => {
    expect(traceOf({ traceparent, tracestate: "a".repeat(513) })).toEqual({ traceparent });
    expect(traceOf({ traceparent, tracestate: "a=ü" })).toEqual({ traceparent });
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
