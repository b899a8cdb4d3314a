import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Identity, isPermitted } from "../../src/policy/permission.ts";

const nobody: Identity = { userId: null, userRoles: [], claims: {} };
const u1: Identity = { userId: "u1", userRoles: ["user", "editor"], claims: {} };

describe("checkPermission false", () => {
  it("lets everybody in, whatever they send", () => {
    expect(isPermitted(false, nobody, {}, null)).toBe(true);
    expect(isPermitted(false, nobody, { user_id: "somebody" }, "map")).toBe(true);
  });
});

describe("any_authenticated", () => {
  it("asks for a user id of the connection", () => {
    expect(isPermitted("any_authenticated", u1, {}, null)).toBe(true);
    expect(isPermitted("any_authenticated", nobody, {}, null)).toBe(false);
  });

  it("takes the empty user id for none", () => {
    expect(isPermitted("any_authenticated", { userId: "", userRoles: [], claims: {} }, {}, null)).toBe(false);
  });

  it("is not impressed by a user id in the arguments", () => {
    expect(isPermitted("any_authenticated", nobody, { user_id: "u1", userId: "u1" }, "map")).toBe(false);
  });
});

describe("{role}", () => {
  it("asks for one of the roles", () => {
    expect(isPermitted({ role: ["admin", "editor"] }, u1, {}, null)).toBe(true);
    expect(isPermitted({ role: ["admin"] }, u1, {}, null)).toBe(false);
    expect(isPermitted({ role: [] }, u1, {}, null)).toBe(false);
  });

  it("counts no roles sent as arguments", () => {
    expect(isPermitted({ role: ["admin"] }, u1, { user_roles: ["admin"], userRoles: ["admin"] }, "map")).toBe(false);
  });

  it("asks for the role alone, not for a user id", () => {
    expect(isPermitted({ role: ["admin"] }, { userId: null, userRoles: ["admin"], claims: {} }, {}, null)).toBe(true);
  });
});

describe("{arg}", () => {
  const mode = { arg: "user_id" };

  it("lets the named user in, and nobody else", () => {
    expect(isPermitted(mode, u1, { user_id: "u1", more: 1 }, ["user_id", "more"])).toBe(true);
    expect(isPermitted(mode, u1, { user_id: "u2" }, ["user_id"])).toBe(false);
  });

  it("denies where the argument is missing", () => {
    expect(isPermitted(mode, u1, {}, null)).toBe(false);
    expect(isPermitted(mode, u1, {}, "map")).toBe(false);
  });

  it.each([[["u1"]], [{ id: "u1" }], [{ toString: () => "u1" }], [1], [null], [true]])(
    "denies %j: no string",
    (value) => {
      expect(isPermitted(mode, u1, { user_id: value }, null)).toBe(false);
      expect(isPermitted(mode, { userId: "1", userRoles: [], claims: {} }, { user_id: 1 }, null)).toBe(false);
    },
  );

  it("lets nobody match nobody", () => {
    expect(isPermitted(mode, nobody, { user_id: null }, null)).toBe(false);
    expect(isPermitted(mode, { userId: "", userRoles: [], claims: {} }, { user_id: "" }, null)).toBe(false);
  });

  it("does not find what every object inherits", () => {
    expect(isPermitted({ arg: "constructor" }, u1, {}, "map")).toBe(false);
    expect(isPermitted({ arg: "toString" }, u1, { filter: {} }, "map")).toBe(false);
  });

  it("is not denied by what every object inherits, nor by the places of a list", () => {
    expect(isPermitted({ arg: "toString" }, u1, { toString: "u1", filter: {} }, "map")).toBe(true);
    expect(isPermitted({ arg: "0" }, u1, { list: ["u1"] }, "map")).toBe(false);
    expect(isPermitted({ arg: "length" }, u1, { length: "u1", list: ["u2"] }, "map")).toBe(true);
  });

  it("looks at the top level alone where arguments are passed one by one", () => {
    expect(isPermitted(mode, u1, { filter: { user_id: "u1" } }, null)).toBe(false);
    expect(isPermitted(mode, u1, { filter: { user_id: "u1" } }, ["filter"])).toBe(false);
    expect(isPermitted(mode, u1, { user_id: "u1", filter: { user_id: "u2" } }, [])).toBe(true);
  });

  it("looks one level below too where one map is passed, and no deeper", () => {
    expect(isPermitted(mode, u1, { filter: { user_id: "u1" } }, "map")).toBe(true);
    expect(isPermitted(mode, u1, { filter: { user_id: "u2" } }, "map")).toBe(false);
    expect(isPermitted(mode, u1, { filter: { inner: { user_id: "u1" } } }, "map")).toBe(false);
    expect(isPermitted(mode, u1, { filters: [{ user_id: "u1" }] }, "map")).toBe(false);
  });

  it("denies where one occurrence names somebody else", () => {
    expect(isPermitted(mode, u1, { user_id: "u1", filter: { user_id: "u2" } }, "map")).toBe(false);
    expect(isPermitted(mode, u1, { a: { user_id: "u1" }, b: { user_id: "u2" } }, "map")).toBe(false);
    expect(isPermitted(mode, u1, { a: { user_id: "u1" }, b: { user_id: null } }, "map")).toBe(false);
    expect(isPermitted(mode, u1, { a: { user_id: "u1" }, b: { user_id: "u1" } }, "map")).toBe(true);
  });

  it("permits only requests all of whose occurrences name the user, for any arguments", () => {
    const value = fc.oneof(fc.constant("u1"), fc.constant("u2"), fc.jsonValue({ maxDepth: 1 }));
    const level = (inner: fc.Arbitrary<unknown>) =>
      fc.dictionary(fc.constantFrom("user_id", "a", "b", "c"), inner, { maxKeys: 4 });
    fc.assert(
      fc.property(level(fc.oneof(value, level(value))), fc.boolean(), (args, asMap) => {
        const levels = asMap ? [args, ...Object.values(args)] : [args];
        const named = levels.flatMap((at) =>
          Object.entries(Object(at) as object)
            .filter(([key]) => key === "user_id" && !Array.isArray(at))
            .map(([, named]) => named),
        );
        const expected = named.length > 0 && named.every((named) => named === "u1");
        expect(isPermitted(mode, u1, args, asMap ? "map" : null)).toBe(expected);
      }),
    );
  });
});

describe("{claim, arg}", () => {
  const mode = { claim: "tenant", arg: "tenant_id" };
  const of = (tenant: unknown): Identity => ({ ...nobody, claims: { tenant } });

  it("lets in who repeats the claim in every place where the argument can stand", () => {
    expect(isPermitted(mode, of("t1"), { tenant_id: "t1" }, null)).toBe(true);
    expect(isPermitted(mode, of("t1"), { tenant_id: "t2" }, null)).toBe(false);
    expect(isPermitted(mode, of("t1"), {}, "map")).toBe(false);
    expect(isPermitted(mode, of("t1"), { filter: { tenant_id: "t1" } }, "map")).toBe(true);
    expect(isPermitted(mode, of("t1"), { tenant_id: "t1", filter: { tenant_id: "t2" } }, "map")).toBe(false);
  });

  it("compares numbers and booleans too, but never one type with another", () => {
    expect(isPermitted(mode, of(7), { tenant_id: 7 }, null)).toBe(true);
    expect(isPermitted(mode, of(7), { tenant_id: "7" }, null)).toBe(false);
    expect(isPermitted(mode, of("7"), { tenant_id: 7 }, null)).toBe(false);
    expect(isPermitted(mode, of(true), { tenant_id: true }, null)).toBe(true);
  });

  it.each([undefined, null, "", ["t1"], { id: "t1" }])("lets nobody in whose claim is %j", (claim) => {
    expect(isPermitted(mode, of(claim), { tenant_id: claim }, null)).toBe(false);
  });

  it("finds neither what every object inherits, nor claims in the arguments", () => {
    expect(isPermitted({ claim: "constructor", arg: "x" }, u1, { x: Object }, null)).toBe(false);
    expect(isPermitted(mode, u1, { tenant_id: "t1", claims: { tenant: "t1" } }, null)).toBe(false);
  });
});

describe("{claim, in}", () => {
  const mode = { claim: "plan", in: ["pro", 2, true] };
  const of = (plan: unknown): Identity => ({ ...nobody, claims: { plan } });

  it("asks for one of the values, of the same type", () => {
    for (const plan of ["pro", 2, true]) expect(isPermitted(mode, of(plan), {}, null)).toBe(true);
    for (const plan of ["free", "2", 1, false, "true", null, undefined, ["pro"]]) {
      expect(isPermitted(mode, of(plan), {}, null)).toBe(false);
    }
    expect(isPermitted(mode, nobody, { plan: "pro" }, null)).toBe(false);
  });
});
