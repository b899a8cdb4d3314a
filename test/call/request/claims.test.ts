import { describe, expect, it } from "vitest";
import { addClaims, maxClaimsBytes, noClaims, readClaims } from "../../../src/call/request/claims.ts";
import { Joined } from "../../../src/socket/channels/joined.ts";

const refused = (message: string | RegExp) =>
  expect.objectContaining({
    code: "invalid_option",
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });

describe("readClaims", () => {
  it("takes nothing for no claims", () => {
    expect(readClaims(undefined, "claims")).toBe(noClaims);
    expect(readClaims(null, "claims")).toBe(noClaims);
    expect(readClaims({}, "claims")).toEqual({});
  });

  it("copies and freezes them at every depth, and leaves undefined out", () => {
    const given = { tenant: "t1", seats: { max: 5, used: [1, { n: 2 }] }, plan: undefined };
    const claims = readClaims(given, "claims");
    expect(claims).toStrictEqual({ tenant: "t1", seats: { max: 5, used: [1, { n: 2 }] } });
    given.seats.max = 6;
    expect(claims.seats).toEqual({ max: 5, used: [1, { n: 2 }] });
    const { used } = claims.seats as { used: { n: number }[] };
    for (const part of [claims, claims.seats, used, used[1]]) expect(Object.isFrozen(part)).toBe(true);
  });

  it("reads every field once", () => {
    let reads = 0;
    const given = {
      get tenant() {
        reads++;
        return "t1";
      },
    };
    expect(readClaims(given, "claims")).toEqual({ tenant: "t1" });
    expect(reads).toBe(1);
  });

  const deep = (depth: number): unknown => (depth === 0 ? 1 : { in: deep(depth - 1) });

  it.each([
    ["t1", /^claims must be a plain object, got "t1"$/],
    [["t1"], /^claims must be a plain object, got/],
    [new Map(), /^claims must be a plain object, got/],
    [Object.create({ tenant: "t1" }), /^claims must be a plain object, got/],
    [{ at: new Date(0) }, /^claims\.at must be a JSON value, got /],
    [{ list: [1, { f: () => 1 }] }, /^claims\.list\[1\]\.f must be a JSON value, got /],
    [{ n: Number.NaN }, /^claims\.n must be a finite number, got /],
    [{ n: 1n }, /^claims\.n must be a JSON value, got /],
    [JSON.parse('{"a":{"__proto__":1}}'), /^claims\.a must be a map without the key "__proto__", got /],
    [deep(40), /at most 32 lists and maps within each other, got more$/],
  ])("refuses %o", (given, message) => {
    expect(() => readClaims(given, "claims")).toThrow(refused(message));
  });

  // The test runner fails a run with an unhandled rejection, which ends a gateway's process.
  it("hears the promises in what it refuses, and so does Joined", async () => {
    const rejected = () => Promise.reject(new Error("unheard"));
    expect(() => readClaims(rejected(), "claims")).toThrow(refused(/^claims must be a plain object, got/));
    expect(() => readClaims({ later: rejected() }, "claims")).toThrow(refused(/^claims\.later must be a JSON value/));
    expect(() => new Joined(rejected() as never)).toThrow(refused(/^new Joined takes \{claims, reply\}, got/));
    expect(() => new Joined(7 as never)).toThrow(refused("new Joined takes {claims, reply}, got 7"));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("refuses a cycle", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(() => readClaims(cycle, "claims")).toThrow(refused(/at most 32 lists and maps/));
  });

  it("refuses at once what refers to itself in many ways, and lists longer than any that fit", () => {
    const family: Record<string, unknown> = {};
    Object.assign(family, { mother: family, father: family });
    const tooMany = refused("claims must be at most 8192 bytes of JSON, got more than 8192 values");
    expect(() => readClaims(family, "claims")).toThrow(tooMany);
    expect(() => readClaims({ list: new Array(2 ** 32 - 1) }, "claims")).toThrow(tooMany);
  });

  it("counts bytes of JSON: 8 KiB fit, one more does not", () => {
    const ofBytes = (bytes: number) => ({ a: "ü".repeat((bytes - 8) / 2) });
    expect(Buffer.byteLength(JSON.stringify(ofBytes(maxClaimsBytes)))).toBe(maxClaimsBytes);
    expect(readClaims(ofBytes(maxClaimsBytes), "claims")).toEqual(ofBytes(maxClaimsBytes));
    const more = { ...ofBytes(maxClaimsBytes - 8), b: 10 };
    expect(Buffer.byteLength(JSON.stringify(more))).toBe(maxClaimsBytes - 1);
    expect(() => readClaims({ ...more, b: 1000 }, "claims")).toThrow(
      refused(`claims must be at most 8192 bytes of JSON, got 8193`),
    );
  });
});

describe("addClaims", () => {
  it("puts the channel's over the connection's", () => {
    const connection = readClaims({ tenant: "t1", plan: "pro" }, "claims");
    const channel = readClaims({ room: "r1", plan: "free" }, "claims");
    expect(addClaims(connection, channel)).toEqual({ tenant: "t1", plan: "free", room: "r1" });
    expect(addClaims(connection, noClaims)).toBe(connection);
    expect(addClaims(noClaims, channel)).toBe(channel);
  });

  it("bounds both together", () => {
    const half = (name: string) => readClaims({ [name]: "x".repeat(maxClaimsBytes / 2) }, "claims");
    expect(() => addClaims(half("a"), half("b"))).toThrow(
      refused(/^the claims of connect and join together must be at most 8192 bytes of JSON, got /),
    );
  });
});
