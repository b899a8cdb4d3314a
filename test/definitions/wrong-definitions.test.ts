import { defineService, isGenApiError } from "gen-api";
import { describe, expect, test } from "vitest";

const define = defineService as (...given: unknown[]) => unknown;
const handler = () => 1;
const other = defineService("other", import.meta.url, { f: { handler } });

const errorOf = (functions: unknown): Error => {
  try {
    define("users", import.meta.url, functions);
  } catch (thrown) {
    if (isGenApiError(thrown) && thrown.code === "invalid_config") return thrown;
    throw thrown;
  }
  throw new Error("It was not refused");
};

const types =
  "string, num, boolean, uuid, datetime, naive_datetime, list, list_string, list_num, list_uuid, list_map, map, any";

// As JavaScript takes them. Each names the service, the function and the field, what is allowed and what came.
const wrong: Readonly<Record<string, readonly [unknown, string]>> = {
  "no handler": [{ get: {} }, "get.handler must be a function, got nothing"],
  "the handler itself": [
    { get: handler },
    "get must be a definition with a handler, got a function: write get: { handler: … }",
  ],
  "a generator itself": [
    {
      *get() {
        yield 1;
      },
    },
    "get must be a definition with a handler, got a function: write get: { handler: … }",
  ],
  "a class": [{ get: class Get {} }, "get must be a definition with a handler, got a class: write get: { handler: … }"],
  "a class as handler": [{ get: { handler: class {} } }, "get.handler must be a function, got a class"],
  "a list": [{ get: [handler] }, "get must be a definition with a handler, got list"],
  null: [{ get: null }, "get must be a definition with a handler, got null"],
  "a text": [{ get: "users.get" }, 'get must be a definition with a handler, got "users.get"'],
  "a Map": [{ get: new Map() }, "get must be a definition with a handler, got a Map"],
  "a service": [{ get: other }, 'get must be a definition with a handler, got the service "other"'],
  "a text as handler": [{ get: { handler: "get" } }, 'get.handler must be a function, got "get"'],
  "a promise as handler": [{ get: { handler: Promise.resolve(1) } }, "get.handler must be a function, got a Promise"],
  "an unknown field": [
    { get: { handler, tiemout: 1 } },
    "get.tiemout is not a field of a definition; fields are handler, args, ",
  ],
  "a FunConfig's field": [
    { get: { handler, argTypes: {} } },
    "get.argTypes is not a field of a definition; fields are handler, args, ",
  ],
  "a responseType that is misspelt": [
    { get: { handler, responseType: "strem" } },
    'get.responseType must be "sync", "async", "stream" or "none", got "strem"',
  ],
  "a generator that is no stream": [
    {
      get: {
        *handler() {
          yield 1;
        },
      },
    },
    'get.handler is a generator, whose responseType must be "stream", got "sync"',
  ],
  "a timeout as text": [
    { get: { handler, timeout: "5s" } },
    'get.timeout must be a whole number from 100 to 300000 (milliseconds) or "infinity", got "5s"',
  ],
  "an unknown type": [{ get: { handler, args: { id: "strng" } } }, `get.args.id must be one of ${types}, got "strng"`],
  "an unknown type with options": [
    { get: { handler, args: { id: { type: "strng" } } } },
    `get.args.id.type must be one of ${types}, got "strng"`,
  ],
  "an unknown option": [
    { get: { handler, args: { id: { type: "string", maxLength: 1 } } } },
    "get.args.id.maxLength is not an option; options are type, defaultValue, maxBytes, maxItems, maxItemBytes, allowNil, required, accept",
  ],
  "an option of another type": [
    { get: { handler, args: { id: { type: "num", maxBytes: 1 } } } },
    "get.args.id.maxBytes does not apply to num, only to string",
  ],
  "a default of another type": [
    { get: { handler, args: { id: { type: "num", defaultValue: "1" } } } },
    "get.args.id.defaultValue must be number, got string",
  ],
  "args as a list": [
    { get: { handler, args: ["id"] } },
    "get.args must be a map from names to types, or a Standard Schema, got list",
  ],
  "a type that is a constructor": [
    { get: { handler, args: { id: String } } },
    "get.args.id must be a type's name or a map with `type`, got function",
  ],
  "an empty key": [{ "": { handler } }, "the key of a function must be a non-empty string, got an empty one"],
  "a list of functions": [[handler], "its functions must be a map of definitions, got list"],
  "a class of functions": [class Users {}, "its functions must be a map of definitions, got a class"],
  "a function of functions": [
    () => ({ get: { handler } }),
    "its functions must be a map of definitions, got a function",
  ],
  "an instance": [new (class Users extends Array {})(), "its functions must be a map of definitions, got list"],
  "another service": [other, 'its functions must be a map of definitions, got the service "other"'],
  nothing: [undefined, "its functions must be a map of definitions, got nothing"],
};

describe("defineService refuses, naming service, function and field, what is allowed and what came:", () => {
  test.each(Object.entries(wrong))("%s", (_what, [functions, message]) => {
    expect(errorOf(functions).message).toContain(`Invalid defineService("users"): ${message}`);
  });

  test("all that is wrong, at once", () => {
    const { message } = errorOf({ a: { handler: 1 }, b: null, c: { handler, retry: -1, version: "1" } });
    for (const part of ["a.handler must be", "b must be", "c.retry must be", "c.version must be"]) {
      expect(message).toContain(part);
    }
  });
});
