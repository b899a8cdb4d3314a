import { describe, expect, test } from "vitest";
import { readsRequestInfo } from "../../src/config/reads-request-info.ts";

type Handler = (...args: never[]) => unknown;
/** From its text, as no compiler or formatter changes it. */
const written = (source: string): Handler => new Function(`return ${source}`)() as Handler;

describe("a handler gets its RequestInfo where it can look at it:", () => {
  test.each([
    "(args, info) => info",
    "(...all) => all[1]",
    "(args = {}, info) => info",
    "(args, { userId } = {}) => userId",
    "({ a = 1 }, info) => info",
    "({ a, ...rest }) => rest",
    "function () { return arguments[1]; }",
    "({ handler() { return arguments[1]; } }).handler",
    "({ ['na(me'](args) { return args; } }).handler ?? ((...all) => all)",
    "(function (args) { return args; }).bind(null)",
    "new Proxy((args) => args, {})",
    "(args /* ) */, info) => info",
    "async (args, info) => info",
    "function* (args, info) { yield info; }",
    "(args) => eval('1')",
  ])("%s", (source) => {
    expect(readsRequestInfo(written(source))).toBe(true);
  });
});

describe("a handler that certainly cannot is not given it:", () => {
  test.each([
    "() => 1",
    "args => args",
    "async args => args",
    "({ a, b: { c } }) => [a, c]",
    "async ({ a }) => a",
    "function ({ a }) { return a; }",
    "function named(args) { return args; }",
    "async function* ({ to }) { yield to; }",
    "({ *handler({ to }) { yield to; } }).handler",
    "({ async handler([first]) { return first; } }).handler",
  ])("%s", (source) => {
    expect(readsRequestInfo(written(source))).toBe(false);
  });
});
