import { expect, test } from "vitest";
import { allowedPlace, allowlistFault } from "../../src/config/module-allowlist.ts";
import { Modules } from "../../src/config/modules.ts";

const modules = new Modules([
  ["m", "file:///m.js"],
  ["mm", "file:///mm.js"],
]);

/** Which of these an allowlist lets run: "module.function". */
function allowed(entries: readonly string[] | null, ...names: readonly string[]) {
  const allowlist = { modules, mfaAllowlist: entries === null ? null : new Set(entries) };
  return names.filter((name) => {
    const [module = "", called = ""] = name.split(".");
    return allowedPlace({ module, function: called }, allowlist) !== null;
  });
}

test("without an allowlist every function of a known module may run", () => {
  expect(allowed(null, "m.echo", "mm.echo", "other.echo")).toEqual(["m.echo", "mm.echo"]);
});

test("an entry for a function allows that function alone, and none whose name begins or ends like it", () => {
  expect(allowed(["m.echo"], "m.echo", "m.echoAll", "m.ech", "m.all", "mm.echo")).toEqual(["m.echo"]);
});

test("an entry for a module allows all of its functions, and no other module's", () => {
  expect(allowed(["m"], "m.echo", "m.all", "mm.echo")).toEqual(["m.echo", "m.all"]);
});

test("an empty allowlist allows nothing", () => {
  expect(allowed([], "m.echo")).toEqual([]);
});

test("what may not run is refused by what is wrong: the allowlist, or the module", () => {
  const faultOf = (module: string) =>
    allowlistFault("mfa", { module, function: "f" }, { modules, mfaAllowlist: new Set(["m.g"]) }, "gateway");
  expect(faultOf("m")).toBe("mfa m.f is not in mfaAllowlist");
  expect(faultOf("x")).toBe(`mfa.module must be one of the gateway's modules ("m", "mm"), got "x"`);
});
