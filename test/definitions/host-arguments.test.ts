import fc from "fast-check";
import { type Gateway, type HostRequest, startGenApi } from "gen-api";
import { beforeEach, describe, expect, test } from "vitest";
import { hostArguments } from "../../src/call/host/host-arguments.ts";
import { keep } from "../support/cluster.ts";

const json = (value: unknown) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

describe("arguments of the host program", () => {
  test("are what JSON makes of them, at every depth", () => {
    class Point {
      x = 1;
      hidden = undefined;
      method = () => 1;
      get sum() {
        return this.x;
      }
    }
    const scalars = [undefined, null, Number.NaN, Number.POSITIVE_INFINITY, () => 1, Symbol("s"), "a\udc00", 1.5, true];
    const objects = [new Date(5), new Date(Number.NaN), new Point(), { toJSON: () => ({ gone: undefined }) }];
    const boxed = [Object(1), Object("text"), Object(false), /x/, new Array(3), JSON.parse('{"__proto__":{"a":1}}')];
    const leaf = fc.constantFrom<unknown>(...scalars, ...objects, ...boxed);
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie("value")), fc.dictionary(fc.string(), tie("value"))),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), (args) => {
        expect(hostArguments(args)).toEqual(json(args));
      }),
      { numRuns: 500 },
    );
  });

  test("are the same object where JSON changes nothing", () => {
    const args = { list: [1, { a: [] }, "x"], map: { deep: { er: null } } };
    expect(hostArguments(args)).toBe(args);
    expect(hostArguments({ args, at: new Date(5) })).toEqual({ args, at: new Date(5).toISOString() });
  });

  test("are not changed in the host's own objects", () => {
    const args = Object.freeze({ a: undefined, list: Object.freeze([undefined, new Date(5)]) });
    expect(hostArguments(args)).toEqual({ list: [null, new Date(5).toISOString()] });
    expect(args.list[0]).toBeUndefined();
  });
});

test("arguments that contain each other more often than can be counted are refused, and read no further", () => {
  let value: unknown = { at: new Date(0) };
  for (let level = 0; level < 30; level++) value = [value, { a: value }];
  expect(() => hostArguments({ value })).toThrow("args must have at most 1000000 values, got more");
  for (const list of [Array(1_000_001).fill(1), Object.assign([], { 4294967294: 1 })]) {
    expect(() => hostArguments({ list: { toJSON: () => list } })).toThrow("at most 1000000 values");
  }
});

describe("a function that the host calls", () => {
  const m = new URL("../fixtures/main-functions.js", import.meta.url);
  const configOf = (requestType: string, type: "any" | "datetime") => ({
    service: "s",
    requestType,
    nodes: "local" as const,
    runOn: "main" as const,
    timeout: 1_000,
    mfa: "m.echo",
    argTypes: { v: type },
  });
  let gateway: Gateway;
  beforeEach(async () => {
    gateway = keep(
      await startGenApi({
        logger: false,
        modules: { m },
        functions: [configOf("any", "any"), configOf("datetime", "datetime")],
      }),
    );
  });
  const request = (v: unknown, requestType = "any"): HostRequest => ({ service: "s", requestType, args: { v } });

  test("gets what JSON leaves of its arguments, as a result, a Response and in a dry run", async () => {
    const v = { a: 1, b: undefined, list: [undefined, { c: undefined }] };
    expect(await gateway.call(request(v))).toEqual({ a: 1, list: [null, {}] });
    expect(await gateway.request(request(v))).toMatchObject({ success: true, result: { a: 1, list: [null, {}] } });
    expect(gateway.diagnostics.inspectRequest(request(v)).outcome).toBe("would_run");
    for await (const result of gateway.stream(request(v))) expect(result).toEqual({ a: 1, list: [null, {}] });
    expect(await gateway.call(request(new Date(5), "datetime"))).toBe(new Date(5).toISOString());
  });

  const cycle: { self?: unknown; other?: unknown } = {};
  cycle.self = cycle;
  cycle.other = cycle;
  const throwing = {
    get broken(): never {
      throw new Error("do not read");
    },
  };
  test.each([
    ["a BigInt", 1n],
    ["a Map", new Map()],
    ["a Set", new Set([1])],
    ["bytes", Buffer.from("x")],
    ["a promise", Promise.resolve()],
    ["a getter that throws", throwing],
    ["a cycle", cycle],
    ["a forbidden key", JSON.parse('{"__proto__":1}')],
  ])("is not called with %s: invalid_argument names where it is", async (_what, bad) => {
    const response = await gateway.request(request({ deep: [bad] }));
    expect(response).toMatchObject({ success: false, error_code: "invalid_argument" });
    expect(response.error).toMatch(/^Argument "v\.deep\[0\]/);
    expect(gateway.diagnostics.inspectRequest(request({ deep: [bad] })).outcome).toBe("invalid_argument");
  });
});
