// What code may return for others to wait for. One row a line: a name, how it is made of a value, and what `await`
// comes to: "value", "throws" or "never".
import vm from "node:vm";

// biome-ignore format: one row a line
/** @type {readonly (readonly [name: string, make: (value: unknown) => unknown, comesTo: "value" | "throws" | "never"])[]} */
export const thenables = [
  ["a promise", (value) => Promise.resolve(value), "value"],
  ["a promise of another realm", (value) => vm.runInNewContext("(value) => Promise.resolve(value)")(value), "value"],
  ["a promise of a subclass", (value) => (class extends Promise {}).resolve(value), "value"],
  ["a promise with a constructor that throws", (value) => getter(Promise.resolve(value), "constructor"), "throws"],
  ["a promise with a then of its own that throws", (value) => getter(Promise.resolve(value), "then"), "value"],
  ["an object with a then", (value) => ({ then: (take) => take(value) }), "value"],
  ["an object with a then, later", (value) => ({ then: (take) => setImmediate(take, value) }), "value"],
  ["a function with a then", (value) => Object.assign(() => 0, { then: (take) => take(value) }), "value"],
  ["a thenable of a promise", (value) => ({ then: (take) => take(Promise.resolve(value)) }), "value"],
  ["a thenable of a thenable of a function", (value) => nested(value, 3), "value"],
  ["a thenable that returns nothing and never settles", () => ({ then: () => undefined }), "never"],
  ["a promise that never settles", () => new Promise(() => {}), "never"],
  ["a thenable that settles twice", (value) => ({ then(take, drop) { take(value); drop(1); take(2); } }), "value"],
  ["a thenable that throws after it resolved", (value) => ({ then(take) { take(value); throw new Error("late"); } }), "value"],
  ["a thenable that throws", () => ({ then() { throw new Error("thrown"); } }), "throws"],
  ["a thenable that throws a revoked proxy", () => ({ then() { throw revoked(); } }), "throws"],
  ["a thenable that rejects with a revoked proxy", () => ({ then: (_take, drop) => drop(revoked()) }), "throws"],
  ["a thenable whose then is async and throws", () => ({ async then() { throw new Error("thrown"); } }), "throws"],
  ["a thenable whose then is async and resolves", (value) => ({ async then(take) { take(value); } }), "value"],
  ["a then that cannot be read", () => getter({}, "then"), "throws"],
  ["a then whose call is not Function's", (value) => ({ then: Object.assign((take) => take(value), { call: null, apply: null }) }), "value"],
  ["a thenable that resolves with itself", () => ({ then(take) { take(this); } }), "throws"],
  ["a thenable that resolves with new ones for ever", endless, "throws"],
  ["a subclass of Promise that resolves with itself", () => new (class extends Promise { then(take) { take(this); } })(() => {}), "throws"],
  ["a proxy of a promise", (value) => new Proxy(Promise.resolve(value), {}), "throws"],
  ["a proxy that answers everything with a function", () => new Proxy(() => {}, { get: () => () => undefined }), "never"],
  ["a rejected promise", () => Promise.reject(new Error("rejected")), "throws"],
];

function getter(target, field) {
  return Object.defineProperty(target, field, {
    get() {
      throw new Error(`unreadable ${field}`);
    },
  });
}

function nested(value, depth) {
  return depth === 0 ? value : Object.assign(() => 0, { then: (take) => take(nested(value, depth - 1)) });
}

function endless() {
  return { then: (take) => take(endless()) };
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
