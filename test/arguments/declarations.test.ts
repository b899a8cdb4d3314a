import { describe, expect, it } from "vitest";
import { checkArgumentDeclarations } from "../../src/arguments/declarations.ts";

const faults = (type: unknown) => checkArgumentDeclarations({ a: type }, null);
const fault = (type: unknown) => {
  const found = faults(type);
  expect(found).toHaveLength(1);
  return found[0];
};

describe("declarations without fault", () => {
  it.each([
    "string",
    { type: "string", maxBytes: 200, defaultValue: "x" },
    { type: "string", allowNil: true, defaultValue: null },
    { type: "list_string", maxItems: 10, maxItemBytes: 50, defaultValue: ["a"] },
    { type: "map", maxItems: 50, required: ["author"], accept: ["author", "email"] },
    { type: "datetime", defaultValue: "2024-01-01T00:00:00Z" },
    { type: "any", defaultValue: { a: [1] } },
    { type: "num", allowNil: undefined, defaultValue: undefined },
  ])("%j", (type) => {
    expect(faults(type)).toEqual([]);
  });

  it("all the types by name, in any of the orders", () => {
    const names =
      "string num boolean uuid datetime naive_datetime list list_string list_num list_uuid list_map map any";
    const argTypes = Object.fromEntries(names.split(" ").map((name) => [name, name]));
    expect(checkArgumentDeclarations(argTypes, null)).toEqual([]);
    expect(checkArgumentDeclarations(argTypes, undefined)).toEqual([]);
    expect(checkArgumentDeclarations(argTypes, [])).toEqual([]);
    expect(checkArgumentDeclarations(argTypes, "map")).toEqual([]);
    expect(checkArgumentDeclarations(argTypes, names.split(" ").reverse())).toEqual([]);
  });

  it("no arguments", () => {
    expect(checkArgumentDeclarations(null, null)).toEqual([]);
    expect(checkArgumentDeclarations(undefined, [])).toEqual([]);
    expect(checkArgumentDeclarations({}, "map")).toEqual([]);
  });
});

describe("a fault", () => {
  it("names a type that is none", () => {
    expect(fault("strin")).toMatch(/^argTypes\.a must be one of string, num, .*, any, got "strin"$/);
    expect(fault({ type: 5 })).toMatch(/^argTypes\.a\.type must be one of .*, got 5$/);
    expect(fault({})).toMatch(/^argTypes\.a\.type must be one of .*, got nothing$/);
    expect(fault(["string"])).toBe("argTypes.a must be a type's name or a map with `type`, got list");
    expect(checkArgumentDeclarations([], null)).toEqual([
      'argTypes must be a map from names to types, "schema" or null, got list',
    ]);
  });

  it("names an option that does not apply to the type, and those that it applies to", () => {
    expect(fault({ type: "num", maxBytes: 5 })).toBe("argTypes.a.maxBytes does not apply to num, only to string");
    expect(fault({ type: "list_num", maxItemBytes: 5 })).toBe(
      "argTypes.a.maxItemBytes does not apply to list_num, only to list_string",
    );
    expect(fault({ type: "any", maxItems: 5 })).toMatch("argTypes.a.maxItems does not apply to any");
    expect(fault({ type: "list_map", required: ["a"] })).toBe(
      "argTypes.a.required does not apply to list_map, only to map",
    );
    expect(fault({ type: "list", accept: ["a"] })).toBe("argTypes.a.accept does not apply to list, only to map");
  });

  it("names an option that there is not", () => {
    expect(fault({ type: "num", max_bytes: 5 })).toMatch(
      /^argTypes\.a\.max_bytes is not an option; options are type, /,
    );
  });

  it("names an option's value that cannot be", () => {
    for (const value of [0, -1, 1.5, Number.NaN, Infinity, "5", null, 2 ** 53]) {
      expect(fault({ type: "string", maxBytes: value })).toMatch(
        /^argTypes\.a\.maxBytes must be a whole number of at least 1, got /,
      );
    }
    expect(fault({ type: "num", allowNil: "yes" })).toBe('argTypes.a.allowNil must be true or false, got "yes"');
    for (const value of ["author", [1], ["a", "a"], ["__proto__"]]) {
      expect(fault({ type: "map", required: value })).toMatch(
        /^argTypes\.a\.required must be a list of different keys/,
      );
    }
  });

  it("names options that contradict each other", () => {
    expect(fault({ type: "map", required: ["a", "b"], accept: ["a"] })).toBe(
      'argTypes.a.required names keys that accept does not: "b"',
    );
    expect(fault({ type: "map", required: ["a", "b"], maxItems: 1 })).toBe(
      "argTypes.a.required has 2 keys, more than maxItems 1",
    );
  });

  it("names a default that the type would refuse", () => {
    expect(fault({ type: "num", defaultValue: "5" })).toBe("argTypes.a.defaultValue must be number, got string");
    expect(fault({ type: "num", defaultValue: null })).toBe("argTypes.a.defaultValue must be number, got null");
    expect(fault({ type: "string", maxBytes: 1, defaultValue: "ab" })).toBe(
      "argTypes.a.defaultValue must be string of at most 1 bytes, got string of 2 bytes",
    );
    expect(fault({ type: "list_num", defaultValue: [1, "2"] })).toBe(
      "argTypes.a.defaultValue[1] must be number, got string",
    );
    expect(fault({ type: "datetime", defaultValue: "2024-01-01" })).toMatch(
      /^argTypes\.a\.defaultValue must be ISO 8601/,
    );
    expect(fault({ type: "map", required: ["x"], defaultValue: {} })).toMatch(
      /^argTypes\.a\.defaultValue must be map with the key "x"/,
    );
  });

  it("names an argument that must not be called so", () => {
    for (const name of ["__proto__", "constructor", "prototype"]) {
      expect(checkArgumentDeclarations(JSON.parse(`{"${name}":"num"}`), null)).toEqual([
        `argTypes.${name} is a forbidden name: it could reach an object's prototype`,
      ]);
    }
    expect(checkArgumentDeclarations({ "": "num" }, null)).toEqual([
      "argTypes must not have an argument whose name is empty",
    ]);
  });

  it("names what argOrders gets wrong", () => {
    const two = { a: "num", b: "num" };
    const check = (argOrders: unknown, argTypes: unknown = two) => checkArgumentDeclarations(argTypes, argOrders);
    expect(check(["a", "b", "c"])).toEqual(['argOrders[2] must be the name of an argument in argTypes, got "c"']);
    expect(check(["a"])).toEqual(['argOrders must name every argument, but omits "b"']);
    expect(check(["a", "b", "a"])).toEqual(['argOrders[2] names "a" a second time']);
    expect(check(["a", 5, "b"])).toEqual(["argOrders[1] must be the name of an argument in argTypes, got 5"]);
    expect(check("list")).toEqual(['argOrders must be a list of names or "map", got "list"']);
    expect(check(["a"], null)).toEqual(['argOrders[0] must be the name of an argument in argTypes, got "a"']);
    expect(check("map", null)).toEqual(['argOrders "map" needs argTypes: without them no argument is passed']);
  });

  it("asks for argOrders where names look like integers, since JavaScript reorders them", () => {
    expect(checkArgumentDeclarations({ b: "num", 1: "num" }, null)).toEqual([
      'argOrders must be given: JavaScript does not keep the order of names like "1"',
    ]);
    expect(checkArgumentDeclarations({ b: "num", 1: "num" }, ["b", "1"])).toEqual([]);
    expect(checkArgumentDeclarations({ b: "num", 1: "num" }, "map")).toEqual([]);
    expect(checkArgumentDeclarations({ "01": "num", "-1": "num", "1.5": "num" }, null)).toEqual([]);
  });

  it("comes with all the others", () => {
    const argTypes = { a: "x", b: { type: "num", maxBytes: 0, y: 1 }, c: { type: "string", maxBytes: 0 } };
    expect(checkArgumentDeclarations(argTypes, ["a", "b", "d"])).toHaveLength(6);
  });
});
