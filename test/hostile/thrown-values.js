// What code may throw, or reject with. One row a line: a name, and how it is made.
import vm from "node:vm";

const brand = Symbol.for("gen-api.GenApiError");
const long = "x".repeat(256 * 1024);

// biome-ignore format: one row a line
/** @type {readonly (readonly [name: string, make: () => unknown])[]} */
export const thrownValues = [
  ["an ordinary error", () => new Error("ordinary")],
  ["undefined", () => undefined],
  ["null", () => null],
  ["a symbol", () => Symbol("s")],
  ["a BigInt", () => 10n],
  ["a text of 256 KiB", () => long],
  ["a text of lone surrogates", () => "\ud800".repeat(100)],
  ["a function", () => () => undefined],
  ["an object without a prototype", () => Object.create(null)],
  ["a revoked proxy", revoked],
  ["a revoked proxy of a function", () => revoked(() => undefined)],
  ["a proxy whose traps throw", () => trapped({})],
  ["a proxy of an error whose traps throw", () => trapped(new Error("x"))],
  ["a proxy whose traps throw revoked proxies", () => trapped({}, revoked)],
  ["an error behind a proxy in its prototype chain", () => Object.create(trapped(new Error("x")))],
  ...["name", "message", "stack", "cause", "code", "reason"].flatMap((field) => [
    [`an error whose ${field} throws`, () => withGetter(new Error(""), field, thrower("unreadable"))],
    [`an error whose ${field} throws a revoked proxy`, () => withGetter(new Error(""), field, throwsRevoked)],
    [`an error whose ${field} is a symbol`, () => withValue(new Error("x"), field, Symbol("s"))],
    [`an error whose ${field} is a revoked proxy`, () => withValue(new Error("x"), field, revoked())],
    [`an error whose ${field} cannot become a text`, () => withValue(new Error("x"), field, unprintable())],
    [`an error whose ${field} has 256 KiB`, () => withValue(new Error("x"), field, long)],
    [`a GenApiError whose ${field} throws`, () => withGetter(branded(), field, thrower("unreadable"))],
    [`a GenApiError whose ${field} is a symbol`, () => withValue(branded(), field, Symbol("s"))],
    [`a GenApiError whose ${field} has 256 KiB`, () => withValue(branded(), field, long)],
  ]),
  ["an error whose message works once", () => withGetter(new Error(""), "message", once("first", "second"))],
  ["an error that causes itself", ring],
  ["an error with a thousand causes", () => chain(1_000)],
  ["an error of another realm", () => vm.runInNewContext("new RangeError('far away')")],
  ["a hostile error of another realm", () => vm.runInNewContext("Object.defineProperty(new Error(), 'message', { get() { throw 1 } })")],
  ["a frozen error", () => Object.freeze(new Error("frozen"))],
  ["an error with a then", () => Object.assign(new Error("x"), { then: (take) => take(1) })],
  ["an object whose then throws", () => withGetter({}, "then", thrower("unreadable"))],
  ["an object whose toString throws", unprintable],
  ["the brand alone", () => ({ [brand]: true })],
  ["an AggregateError of itself", () => selfAggregate()],
  ["a DOMException", () => new DOMException("aborted", "AbortError")],
  ["an error whose class takes instanceof over", () => new (class extends Error { static [Symbol.hasInstance]() { throw 1; } })("x")],
];

function revoked(target = {}) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Every trap throws what `what` makes. */
function trapped(target, what = () => new Error("trap")) {
  const trap = () => {
    throw what();
  };
  return new Proxy(target, new Proxy({}, { get: () => trap }));
}

function withGetter(target, field, get) {
  return Object.defineProperty(target, field, { get, configurable: true, enumerable: true });
}

function withValue(target, field, value) {
  return Object.defineProperty(target, field, { value, configurable: true, enumerable: true, writable: true });
}

function branded() {
  const fields = { reason: "reason", code: "failed", canRetry: false, retryable: false };
  return Object.assign(new Error("message"), fields, { [brand]: true });
}

function thrower(message) {
  return () => {
    throw new Error(message);
  };
}

function throwsRevoked() {
  throw revoked();
}

function unprintable() {
  return { toString: thrower("toString"), valueOf: thrower("valueOf"), [Symbol.toPrimitive]: thrower("toPrimitive") };
}

function once(first, second) {
  let reads = 0;
  return () => {
    reads++;
    if (reads > 1) throw new Error(second);
    return first;
  };
}

function ring() {
  const error = new Error("ring");
  error.cause = error;
  return error;
}

function chain(length) {
  let error = new Error("first");
  for (let i = 0; i < length; i++) error = new Error(`${i}`, { cause: error });
  return error;
}

function selfAggregate() {
  const error = new AggregateError([], "many");
  error.errors.push(error);
  error.cause = error;
  return error;
}
