import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { typescriptDeclarations } from "../../src/description/documents/typescript.ts";
import { checkTypes } from "../support/typescripts.ts";
import { described, shop } from "./described.ts";

const root = new URL("../..", import.meta.url).pathname;
const folder = mkdtempSync(join(root, ".readme-generated-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compilerOptions = {
  target: "es2022",
  lib: ["es2022", "dom"],
  module: "nodenext",
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
};

/** What the compiler says of a program that imports generated types. */
async function faultsIn(api: string, program: string): Promise<readonly string[]> {
  const installed = join(folder, "node_modules/gen-api");
  for (const part of ["package.json", "dist"]) {
    mkdirSync(installed, { recursive: true });
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  writeFileSync(join(folder, "api.d.ts"), api);
  writeFileSync(join(folder, "program.ts"), program);
  return checkTypes("6", folder);
}

test("a client with the generated interface has the types of its functions", async () => {
  const api = typescriptDeclarations(described());
  expect(api).not.toContain("import");
  const program = `
    import { type CallOptions as ClientCallOptions, connect } from "gen-api/client";
    import type { Api, CallOptions } from "./api.js";

    type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
    const holds = <Right extends true>(): Right => true as Right;
    // Options of the one are options of the other.
    declare const ours: CallOptions;
    declare const theirs: ClientCallOptions;
    export const same: [ClientCallOptions, CallOptions] = [ours, theirs];
    holds<Equal<keyof CallOptions, keyof ClientCallOptions>>();

    const { api, ...client } = connect<Api>("ws://x/socket");
    const user = await api.shop.get_user({ user_id: "1" });
    holds<Equal<typeof user.id, string>>();
    const friend: string | undefined = user.friends?.[0]?.friends?.[0]?.id;
    await api.shop.get_user({ user_id: "1", at: new Date() }, { timeoutMs: 100, signal: AbortSignal.timeout(1) });
    await api.shop.get_user({ user_id: "1", at: null });
    for await (const { tick } of api.shop.ticks()) holds<Equal<typeof tick, number>>();
    holds<Equal<Awaited<ReturnType<typeof api.shop.log>>, void>>();
    holds<Equal<Awaited<ReturnType<typeof api.shop.report>>, unknown>>();
    await api.shop["odd name/{x}"]({ "odd-name": 1, list: [{ a: 1 }] });
    await api.shop.everything({ uuid: "x", nums: [1], map: { a: 1 } });
    await client.call("shop", "log", { line: "x" });
    console.log(friend);
    // @ts-expect-error an argument is missing
    await api.shop.get_user({});
    // @ts-expect-error of another type
    await api.shop.get_user({ user_id: 1 });
    // @ts-expect-error no function
    await api.shop.nothing();
    // @ts-expect-error no service
    await api.nothing.get_user({ user_id: "1" });
  `;
  expect(await faultsIn(api, program)).toEqual([]);
}, 120_000);

const schemas: readonly object[] = [
  { $ref: "#" },
  { anyOf: [{ $ref: "#" }, { type: "string" }] },
  { $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }, { type: "null" }] }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/b" },
  {
    $defs: {
      a: { anyOf: [{ properties: { x: { $ref: "#/$defs/b" } } }, { $ref: "#/$defs/b" }] },
      b: { anyOf: [{ $ref: "#/$defs/a" }, { type: "string" }] },
    },
    properties: { first: { $ref: "#/$defs/a" }, second: { $ref: "#/$defs/b" } },
  },
  { type: "object", additionalProperties: { $ref: "#" } },
  { type: "array", prefixItems: [{ type: "string" }, { type: ["number", "null"] }], items: { $ref: "#" }, minItems: 1 },
  { enum: ["a", 'b"\u2028', 1, 1.5, -0, null, true] },
  { const: { a: 1 } },
  { enum: [] },
  { allOf: [{ properties: { a: { type: "string" } }, required: ["a"] }, { properties: { b: { enum: [1, 2] } } }] },
  { properties: { "*/": { description: "*/ export const x = 1; /*" }, constructor_: { deprecated: true } } },
  { type: "integer", not: {}, if: {}, "x-unknown": [] },
  { type: "array", items: false },
  {
    $defs: Object.fromEntries(
      Array.from({ length: 500 }, (_, at) => [`a${at}`, { $ref: `#/$defs/a${(at + 1) % 500}` }]),
    ),
    $ref: "#/$defs/a0",
  },
];

test("whatever schemas and texts come from a node, the types compile, and no text ends its comment", async () => {
  const functions = schemas.map((resultSchema, at) => ({
    ...shop.functions[0]!,
    requestType: `f${at}`,
    argTypes: "schema",
    argsSchema: resultSchema,
    resultSchema,
    description: `*/ export const injected = 1; /*\u2028*/ export const injected = 2; /*`,
    deprecated: "*/ */",
  }));
  const odd = ["new", "constructor", "__proto_", "1", "a-b", "\u202e", "it's", "`"].map((requestType) => ({
    ...shop.functions[0]!,
    service: requestType,
    requestType,
  }));
  const api = typescriptDeclarations(described([{ functions: [...functions, ...odd] }]));
  const program = `
    import type * as all from "./api.js";
    type Names = keyof typeof all;
    const none: [Names] extends [never] ? true : false = true;
    export const result: all.Api["shop"]["f6"] = async () => "a";
    console.log(none);
  `;
  expect(await faultsIn(api, program)).toEqual([]);
  expect(api).not.toMatch(/[\u2028\u202e]/);
}, 120_000);
