import { startGenApi } from "gen-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkStopOptions } from "../../../src/runtime/options/stop-options.ts";

const notes = new URL("../../fixtures/notes.js", import.meta.url);
const request = { service: "notes", requestType: "nothing", args: {} };

let gateway: Awaited<ReturnType<typeof startGenApi>>;

beforeAll(async () => {
  gateway = await startGenApi({
    logger: false,
    modules: { notes },
    workerPool: { threads: 1 },
    adminActions: ["change_detail_error"],
  });
});
afterAll(() => gateway.stop());

/** What is no time, and how messages show it. */
const noTimes: readonly (readonly [unknown, string])[] = [
  [Number.NaN, "NaN"],
  [-1, "-1"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
  ["100", '"100"'],
  [5n, "5"],
  [null, "null"],
  [{}, "map"],
];
const times = [0, 0.5, 2 ** 31, 1e308, Number.POSITIVE_INFINITY];

describe.each(noTimes)("%s is refused, by the field's name, with what is allowed", (ms, shown) => {
  const refused = (field: string) => ({
    code: "invalid_option",
    message: `${field} must be a number of milliseconds, 0 or more, got ${shown}`,
  });

  test("as timeoutMs of call, request and stream", async () => {
    const options = { timeoutMs: ms as number };
    const { code, message } = refused("timeoutMs");
    await expect(gateway.call(request, options)).rejects.toMatchObject({ code, message });
    await expect(gateway.request(request, options)).resolves.toMatchObject({ error_code: code, error: message });
    await expect(gateway.stream(request, options).next()).rejects.toMatchObject({ code, message });
  });

  test.each(["drainMs", "notReadyMs"])("as %s of stop", async (field) => {
    await expect(gateway.stop({ [field]: ms as number })).rejects.toMatchObject(refused(field));
  });
});

test.each(times)("%s milliseconds are a time", async (ms) => {
  // There is no such function: the call has passed what checks its options.
  await expect(gateway.call(request, { timeoutMs: ms })).rejects.toMatchObject({
    code: expect.stringMatching(/not_found|timeout/),
  });
  expect(checkStopOptions({ drainMs: ms, notReadyMs: ms })).toEqual({ drainMs: ms, notReadyMs: ms });
});

test.each([null, 5, "now"])("stop(%j) says what stop takes", async (options) => {
  await expect(gateway.stop(options as never)).rejects.toMatchObject({
    code: "invalid_option",
    message: `stop takes {drainMs, notReadyMs}, got ${JSON.stringify(options)}`,
  });
});

type Call = (given: never) => unknown;

const asked = { service: "s", requestType: "t", args: {}, userId: null, deviceId: null, ipAddress: null };

/** What hosts call with an argument, what is wrong in each, and how the error goes on after the name of the method. */
// biome-ignore format: one row a line
const calls: readonly (readonly [string, Call, readonly (readonly [unknown, string])[]])[] = [
  ["disconnect", (id) => gateway.disconnect(id), [[5, "id must be a string, got 5"], [undefined, "id must be a string, got nothing"], [{}, "id must be a string, got map"]]],
  ["setDetailError", (to) => gateway.setDetailError(to), [["false", 'detailError must be true or false, got "false"'], [0, "detailError must be true or false, got 0"], [undefined, "detailError must be true or false, got nothing"]]],
  ["nodes.whenUp", (node) => gateway.nodes.whenUp(node), [[5, "node must be the name of a node, got 5"], [null, "node must be the name of a node, got null"]]],
  ["diagnostics.flow", (service) => gateway.diagnostics.flow(service, "t"), [[5, "service must be a string, got 5"], [null, "service must be a string, got null"]]],
  ["diagnostics.flow", (type) => gateway.diagnostics.flow("s", type), [[undefined, "requestType must be a string, got nothing"], [[], "requestType must be a string, got list"]]],
  ["diagnostics.flow", (version) => gateway.diagnostics.flow("s", "t", version), [[1, "version must be a string or null, got 1"], [{}, "version must be a string or null, got map"]]],
  ["diagnostics.flows", (service) => gateway.diagnostics.flows(service), [[null, "service must be a string or left out, got null"], [["s"], "service must be a string or left out, got list"]]],
  ["rateLimiter.status", (value) => gateway.rateLimiter.status(value), [[null, "value must be a string or a finite number, got null"], [Number.NaN, "value must be a string or a finite number, got NaN"], [{}, "value must be a string or a finite number, got map"]]],
  ["rateLimiter.status", (scope) => gateway.rateLimiter.status("x", scope), [["s", 'scope must be "global", { service, requestType } or left out, got "s"'], [{ service: "s" }, 'scope must be "global", { service, requestType } or left out, got map']]],
  ["rateLimiter.status", (key) => gateway.rateLimiter.status("x", "global", key), [[5, "key must be a non-empty string or left out, got 5"], ["", 'key must be a non-empty string or left out, got ""']]],
  ["rateLimiter.check", (value) => gateway.rateLimiter.check(value, "global", "userId"), [[null, "value must be a string, a finite number or a request, got null"], [true, "value must be a string, a finite number or a request, got true"]]],
  ["rateLimiter.check", (scope) => gateway.rateLimiter.check("x", scope, "userId"), [[5, 'scope must be "global", { service, requestType } or left out, got 5']]],
  ["rateLimiter.check", (fields: object) => gateway.rateLimiter.check({ ...asked, ...fields }), [[{ service: 5 }, "service must be a string, got 5"], [{ args: null }, "args must be an object, got null"], [{ userId: 5 }, "userId must be a string or null, got 5"], [{ ipAddress: "x" }, 'ipAddress must be an IP address such as "10.0.0.1" or "2001:db8::1", got "x"']]],
  ["rateLimiter.reset", (which) => gateway.rateLimiter.reset(which), [[5, "must be an object with value, scope and key, or left out, got 5"], [{ value: {} }, "value must be a string, a finite number or left out, got map"]]],
  ["rateLimiter.removeGlobalLimit", (key) => gateway.rateLimiter.removeGlobalLimit(key), [[5, "key must be a string, got 5"]]],
  ["rateLimiter.removeGlobalLimit", (ms) => gateway.rateLimiter.removeGlobalLimit("userId", ms), [["5", 'windowMs must be a number or left out, got "5"']]],
];

const rows = calls.flatMap(([name, call, wrong]) => wrong.map((row) => [name, call, ...row] as const));

test.each(rows)("%s says what is wrong: %4$s", async (name, call, given, fault) => {
  await expect((async () => call(given as never))()).rejects.toMatchObject({
    code: "invalid_option",
    message: `${name}: ${fault}`,
  });
});

test("what hosts call with right arguments refuses none", async () => {
  expect(gateway.disconnect("nobody")).toBe(0);
  gateway.setDetailError(false);
  const { diagnostics, rateLimiter } = gateway;
  expect([diagnostics.flow("s", "t"), diagnostics.flow("s", "t", null), diagnostics.flow("s", "t", "1.0.0")]).toEqual(
    Array(3).fill("not_found"),
  );
  expect([diagnostics.flows("s"), rateLimiter.status("x"), rateLimiter.status(5, "global", "userId")]).toEqual(
    Array(3).fill([]),
  );
  expect(rateLimiter.check("x", { service: "s", requestType: "t" }, "userId").allowed).toBe(true);
  expect(rateLimiter.check(asked).allowed).toBe(true);
  expect(await rateLimiter.removeGlobalLimit("userId")).toBe(false);
});
