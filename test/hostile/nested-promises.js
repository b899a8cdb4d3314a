// Values with a promise in them that rejects, which nobody waits for. One row a line: a name and how it is made.

const rejecting = (reason) => Promise.reject(reason ?? new Error("a nested promise"));
const lost = Symbol("lost");

// biome-ignore format: one row a line
/** @type {readonly (readonly [name: string, make: () => unknown])[]} */
export const nestedPromises = [
  ["a promise as userId", () => ({ userId: rejecting() })],
  ["a promise beside userId", () => ({ userId: "u", profile: rejecting() })],
  ["promises as userRoles", () => ({ userId: "u", userRoles: [rejecting()] })],
  ["a promise as expiresAt", () => ({ userId: "u", expiresAt: rejecting() })],
  ["a getter of a class that makes a promise", () => new (class { get userId() { return rejecting(); } })()],
  ["a list of promises", () => [rejecting(), rejecting()]],
  ["a promise further below", () => ({ a: { b: [{ c: rejecting() }] } })],
  ["a promise that rejects later", () => ({ a: new Promise((_, reject) => setImmediate(reject, new Error("late"))) })],
  ["a promise that rejects with another", () => ({ a: rejecting({ b: rejecting() }) })],
  ["a promise under a symbol, in what JSON cannot hold", () => ({ [lost]: rejecting(), a: 1n })],
  ["a promise beside NaN", () => ({ a: Number.NaN, b: rejecting() })],
  ["a promise in a ring", () => { const ring = { a: rejecting() }; ring.self = ring; return ring; }],
  ["a promise in too long a result", () => ({ a: rejecting(), text: "x".repeat(9 * 1024 * 1024) })],
  ["a promise in a Map", () => new Map([["a", rejecting()]])],
  ["a promise as key of a Map", () => ({ a: new Map([[rejecting(), 1]]) })],
  ["a promise in a Set", () => new Set([rejecting()])],
  ["a promise in a frozen object", () => Object.freeze({ a: Object.freeze(rejecting()) })],
  ["an async toJSON", () => ({ async toJSON() { throw new Error("async"); } })],
  ["a promise that toJSON returns", () => ({ toJSON: () => rejecting() })],
  ["a promise in what toJSON returns", () => ({ toJSON: () => ({ ok: true, a: rejecting() }) })],
  ["a promise beside toJSON", () => ({ toJSON: () => ({ ok: true }), a: rejecting() })],
  ["a promise beside toJSON below", () => ({ a: { toJSON: () => ({}), b: rejecting() } })],
  ["a promise whose constructor throws", () => ({ a: withConstructor(rejecting()) })],
  ["a promise of a class whose species throws", () => ({ a: new Speciesless((_, reject) => reject(new Error("sub"))) })],
  ["a promise whose then does nothing", () => ({ a: Object.assign(rejecting(), { then() {} }) })],
  ["a promise whose then is none", () => Object.defineProperty(rejecting(), "then", { value: null })],
  ["a promise as request", () => ({ request: rejecting() })],
  ["a promise as args", () => ({ request: { args: rejecting() } })],
  ["a promise in args", () => ({ request: { args: { spec: rejecting() } } })],
  ["a promise in a map in args", () => ({ request: { args: { spec: { row: rejecting() } } } })],
  ["a promise as funConfig", () => ({ funConfig: rejecting() })],
  ["a promise in the funConfig", () => ({ funConfig: { timeout: rejecting() } })],
  ["promises as a response's fields", () => ({ success: rejecting(), error: rejecting(), reason: rejecting() })],
  ["promises as done and value", () => ({ done: rejecting(), value: rejecting() })],
  ["a promise as the last value", () => ({ done: true, value: rejecting() })],
  ["a promise as a chunk's field", () => ({ done: false, value: { a: rejecting() } })],
  ["an Error with a promise as cause", () => new Error("caused", { cause: rejecting() })],
  ["an Error with a promise in its cause's cause", () => new Error("1", { cause: new Error("2", { cause: rejecting() }) })],
  ["an Error with a promise as a field", () => Object.assign(new Error("field"), { request: { body: rejecting() } })],
  ["an Error with a promise as message", () => Object.assign(new Error(), { message: rejecting() })],
  ["an AggregateError of promises", () => new AggregateError([rejecting()])],
  ["a GenApiError with a promise as cause", () => genApiError({ cause: rejecting() })],
  ["a GenApiError with a promise as a field", () => genApiError({ details: { a: rejecting() } })],
  ["a GenApiError with a promise as reason", () => genApiError({ reason: rejecting() })],
  ["a GenApiError whose getter makes a promise", () => Object.defineProperty(genApiError({}), "cause", { get: rejecting })],
];

/** `then` asks a promise for its constructor. */
function withConstructor(promise) {
  return Object.defineProperty(promise, "constructor", {
    configurable: true,
    get() {
      throw new Error("no constructor");
    },
  });
}

class Speciesless extends Promise {
  static get [Symbol.species]() {
    throw new Error("no species");
  }
}

function genApiError(fields) {
  const error = new Error("of the user's");
  Object.assign(error, { reason: "sold_out" }, fields);
  return Object.defineProperty(error, Symbol.for("gen-api.GenApiError"), { value: true });
}
