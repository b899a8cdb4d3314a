import { defineService, type FunConfig, validateFunConfig } from "gen-api";
import { expect, test } from "vitest";
import { argTypeNames, defaultMaxBytes, defaultMaxItems } from "../../src/arguments/arg-types.ts";
import { checkArgumentDeclarations } from "../../src/arguments/declarations.ts";
import { defaultsUnder, readPage, rowsUnder } from "./tables.ts";

const page = readPage("docs/functions.md");
const required = { service: "s", requestType: "t", nodes: "local", timeout: 1_000, mfa: "m.f" };

test("docs/functions.md has a row for every field of a FunConfig, with its default", () => {
  const { config } = validateFunConfig(required) as { config: FunConfig };
  const defaults = Object.entries(config).map(([name, value]) => [
    name,
    name in required ? "required" : JSON.stringify(value),
  ]);
  expect(defaultsUnder(page, "The fields")).toEqual(Object.fromEntries(defaults));
});

test("what defineService says otherwise is in a column of its own", () => {
  const [made] = defineService("s", import.meta.url, { t: { handler: () => 1 } }).functions;
  const rows = rowsUnder(page, "The fields");
  for (const field of ["nodes", "timeout"] as const) expect(rows.get(field)?.[1]).toBe(JSON.stringify(made?.[field]));
  expect(rows.get("argOrders")?.[1]).toBe(`${JSON.stringify(made?.argOrders)}, fixed`);
});

test("it has a row for every type of argument and every option, with its default", () => {
  const defaults = defaultsUnder(page, "Arguments");
  const [unknown = ""] = checkArgumentDeclarations({ a: { type: "string", nonsense: 1 } }, null);
  const options = unknown.replace(/.*options are type, /, "").split(", ");
  expect(Object.keys(defaults).sort()).toEqual([...argTypeNames, ...options].sort());
  const rows = rowsUnder(page, "Arguments");
  const limit = (name: string) => Number(rows.get(name)?.[1]);
  expect([limit("maxBytes"), limit("maxItemBytes"), limit("maxItems")]).toEqual([
    defaultMaxBytes,
    defaultMaxBytes,
    defaultMaxItems,
  ]);
});
