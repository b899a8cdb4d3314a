// What code may return as its result. One row a line: a name, how it is made, and whether JSON can hold it (null: it
// depends on where it is returned).
import vm from "node:vm";

// biome-ignore format: one row a line
/** @type {readonly (readonly [name: string, make: () => unknown, holdable: boolean | null])[]} */
export const results = [
  ["an object", () => ({ a: 1 }), true],
  ["a date", () => new Date(0), true],
  ["a list of 20 000 numbers", () => Array.from({ length: 20_000 }, (_, at) => at), true],
  ["a sparse list", () => Object.assign([], { 3: 1 }), true],
  ["an object without a prototype", () => Object.assign(Object.create(null), { a: 1 }), true],
  ["an object of another realm", () => vm.runInNewContext("({ a: [1] })"), true],
  ["a frozen object", () => Object.freeze({ a: Object.freeze([1]) }), true],
  ["an instance with private fields", () => new (class { #hidden = 1; shown = this.#hidden; })(), true],
  ["a text of lone surrogates", () => "\ud800\udc00\ud800", true],
  ["an empty object", () => ({ a: {} }), true],
  ["an undefined", () => undefined, true],
  ["a function", () => () => 1, true],
  ["a symbol", () => Symbol("s"), true],
  ["a class with a toJSON of its own", () => ({ toJSON: () => ({ a: 1 }) }), true],
  ["a Map with a toJSON of its own", () => Object.assign(new Map(), { toJSON: () => [] }), true],
  ["a list in 6 000 lists", () => nest(6_000), null],
  ["a list in 100 000 lists", () => nest(100_000), null],
  ["a Map", () => new Map([[1, 2]]), false],
  ["a Set below", () => ({ a: { b: [1, new Set([1])] } }), false],
  ["a Map below", () => ({ a: { b: new Map([[1, 2]]) } }), false],
  ["a WeakMap", () => ({ a: new WeakMap() }), false],
  ["bytes", () => new Uint8Array([1, 2]), false],
  ["no bytes", () => new Uint8Array(), false],
  ["a Buffer", () => Buffer.from("ab"), false],
  ["a Buffer below", () => ({ file: { data: Buffer.from("ab") } }), false],
  ["an ArrayBuffer", () => new ArrayBuffer(2), false],
  ["a SharedArrayBuffer", () => ({ a: new SharedArrayBuffer(2) }), false],
  ["a DataView", () => ({ a: new DataView(new ArrayBuffer(2)) }), false],
  ["a BigInt", () => ({ a: 1n }), false],
  ["NaN", () => Number.NaN, false],
  ["Infinity below", () => ({ a: Number.POSITIVE_INFINITY }), false],
  ["a list with -Infinity", () => [1, Number.NEGATIVE_INFINITY], false],
  ["a promise below", () => ({ user: Promise.resolve(1) }), false],
  ["an Error below", () => ({ a: new Error("lost") }), false],
  ["a generator", () => ({ a: (function* () {})() }), false],
  ["a ring", () => Object.assign([], { 0: 1 }).concat(ring()), false],
  ["a getter that throws", () => ({ get a() { throw new Error("unreadable"); } }), false],
  ["a toJSON that throws", () => ({ toJSON() { throw new Error("unreadable"); } }), false],
  ["a toJSON that throws a revoked proxy", () => ({ toJSON() { throw revoked(); } }), false],
  ["a revoked proxy", revoked, false],
  ["a revoked proxy below", () => ({ a: revoked() }), false],
  ["lists that share each other, 2 ** 30 lists in all", () => shared(30, (part) => [part, part]), false],
  ["maps that share each other", () => shared(30, (part) => ({ a: part, b: part })), false],
  ["lists that share each other behind a toJSON", () => ({ a: { toJSON: () => shared(30, (part) => [part, part]) } }), false],
  ["a long list of one long text", () => Array(100_000).fill("x".repeat(100_000)), false],
  ["a list of 4 294 967 295 items, all but one empty", () => Object.assign([], { 4294967294: 1 }), false],
  ["a getter that makes a new map each time", () => endless(), false],
  ["more than maxResultBytes", () => "x".repeat(9 * 1024 * 1024), false],
];

function nest(levels) {
  let value = [];
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function shared(levels, around) {
  let value = around({});
  for (let level = 1; level < levels; level++) value = around(value);
  return value;
}

function endless() {
  return {
    get one() {
      return endless();
    },
    get other() {
      return endless();
    },
  };
}

function ring() {
  const value = {};
  value.self = value;
  return value;
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
