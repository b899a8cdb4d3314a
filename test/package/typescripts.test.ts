import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { typescriptBlocks } from "../docs/blocks.ts";
import { readPage } from "../docs/tables.ts";
import { checkTypes, compilerOf, installTypescripts, typescripts } from "../support/typescripts.ts";

const root = new URL("../..", import.meta.url).pathname;

/** Each line a definition that is wrong. */
const wrong = [
  '{ f: { args: { a: "strng" }, handler: () => 1 } }',
  '{ f: { args: { a: { type: "num", defaultValue: "1" } }, handler: () => 1 } }',
  "{ f: { *handler() { yield 1; } } }",
  '{ f: { responseType: "strem", handler: () => 1 } }',
];

/** What `tsc --init` writes, and what strict hosts add to it. */
const compilerOptions = {
  target: "es2022",
  module: "nodenext",
  types: ["node"],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  declaration: true,
  skipLibCheck: true,
};

let folder: string;
beforeAll(() => {
  installTypescripts();
  // As a host has it: what its declarations may name is what the package exports.
  folder = mkdtempSync(join(root, ".readme-types-"));
  const installed = join(folder, "node_modules/gen-api");
  for (const part of ["package.json", "dist"]) cpSync(join(root, part), join(installed, part), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  for (const name of ["services.ts", "clients.ts", "actors.ts"]) {
    writeFileSync(join(folder, name), readFileSync(join(root, "test/fixtures/types", name)));
  }
  const definitions = wrong.map((functions) => `defineService("s", import.meta.url, ${functions});`);
  writeFileSync(join(folder, "wrong.ts"), ['import { defineService } from "gen-api";', ...definitions].join("\n"));
  for (const page of ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)]) {
    if (!page.endsWith(".md")) continue;
    const ofPage = join(folder, page);
    mkdirSync(ofPage, { recursive: true });
    // The tour goes on with the files of the quick start.
    const text = page === "docs/tour.md" ? readPage("README.md") + readPage(page) : readPage(page);
    for (const { name, code } of typescriptBlocks(text)) writeFileSync(join(ofPage, name), code);
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(typescripts)("on TypeScript %s", (version) => {
  let lines: readonly string[];
  beforeAll(async () => {
    lines = await checkTypes(version, folder);
  });

  test("services have the types of their literals, what is wrong does not compile, and all pages do", () => {
    expect(lines.filter((line) => !line.startsWith("wrong.ts") && !line.startsWith(" "))).toEqual([]);
  });

  test("what is wrong in a definition is named at its place", () => {
    expect(lines.filter((line) => line.startsWith("wrong.ts"))).toEqual([
      expect.stringMatching(/^wrong\.ts\(2,52\): .* Did you mean '"string"'\?$/),
      expect.stringMatching(/^wrong\.ts\(3,70\): .* Type 'string' is not assignable to type 'number'\.$/),
      expect.stringMatching(/^wrong\.ts\(4,39\): /),
      expect.stringMatching(/^wrong\.ts\(5,44\): .* Did you mean '"stream"'\?$/),
    ]);
    expect(lines.join("\n")).toContain("but required in type '{ readonly responseType: \"stream\"; }'");
  });
});

describe.each(["5.9", "6"] as const)("editors with TypeScript %s complete", (version) => {
  const names = /argTypeNames = \[([^\]]*)\]/.exec(readFileSync(join(root, "src/arguments/arg-types.ts"), "utf8"));
  const argTypeNames = Array.from(names?.[1]?.matchAll(/"(\w+)"/g) ?? [], ([, name]) => name);
  const cases: readonly (readonly [string, string, readonly (string | undefined)[]])[] = [
    ["the type of an argument", 'import.meta.url, { f: { args: { a: "|" }, handler: ({ a }) => a } }', argTypeNames],
    ["that of a second one", 'import.meta.url, { f: { args: { a: "num", b: "|" }, handler: () => 1 } }', argTypeNames],
    [
      "that of one with options",
      'import.meta.url, { f: { args: { a: { type: "|" } }, handler: () => 1 } }',
      argTypeNames,
    ],
    ["that of one without a handler yet", 'import.meta.url, { f: { args: { a: "|" } } }', argTypeNames],
    ["that of one without a module's URL", '{ f: { args: { a: "|" }, handler: () => 1 } }', argTypeNames],
    ["how it answers", '{ f: { responseType: "|", handler: () => 1 } }', ["async", "none", "stream", "sync"]],
    [
      "a handler's arguments",
      '{ f: { args: { alpha: "num", beta: "any" }, handler: ({ | }) => 1 } }',
      ["alpha", "beta"],
    ],
  ];

  // All in one file, which is read once: each statement with the place where something is to be completed.
  const head = 'import { defineService } from "gen-api";\n';
  const statements = cases.map(([, written]) => `defineService("s", ${written});\n`);
  let file: string;
  let service: ts.LanguageService;
  beforeAll(() => {
    file = join(folder, "completed.ts");
    const source = head + statements.map((statement) => statement.replace("|", "")).join("");
    service = languageService(compilerOf(version), file, source);
  });
  afterAll(() => service.dispose());

  test.each(cases)("%s", (_what, written, expected) => {
    const index = cases.findIndex((each) => each[1] === written);
    const start = statements.slice(0, index).reduce((length, statement) => length + statement.length - 1, head.length);
    const position = start + (statements[index] as string).indexOf("|");
    const completed = service.getCompletionsAtPosition(file, position, {})?.entries.map(({ name }) => name);
    expect(completed?.sort()).toEqual([...expected].sort());
  });
});

describe.each(["5.9", "6"] as const)("in editors with TypeScript %s", (version) => {
  test('"Go to definition" on a call reaches its handler', () => {
    const file = join(folder, "goes-to-definition.ts");
    const source = `import { connect } from "gen-api/client";
import type { users } from "./services.js";
const { api } = connect<[typeof users]>("ws://x/socket");
void api.users.get`;
    const service = languageService(compilerOf(version), file, source);
    const found = service.getDefinitionAtPosition(file, source.length - 1) ?? [];
    service.dispose();
    expect(found.map(({ fileName }) => fileName)).toEqual([join(folder, "services.ts")]);
    const [{ textSpan } = { textSpan: { start: 0 } }] = found;
    expect(readFileSync(join(folder, "services.ts"), "utf8").slice(textSpan.start)).toMatch(/^get: \{/);
  });
});

function languageService(compiler: typeof ts, file: string, source: string): ts.LanguageService {
  const { sys, ScriptSnapshot } = compiler;
  const host: ts.LanguageServiceHost = {
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot(name) {
      const text = name === file ? source : sys.readFile(name);
      return text === undefined ? undefined : ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getCompilationSettings: () => ({
      strict: true,
      target: compiler.ScriptTarget.ES2022,
      module: compiler.ModuleKind.NodeNext,
      types: ["node"],
    }),
    getDefaultLibFileName: (options) => compiler.getDefaultLibFilePath(options),
    fileExists: (name) => name === file || sys.fileExists(name),
    readFile: (name) => (name === file ? source : sys.readFile(name)),
    directoryExists: sys.directoryExists,
  };
  return compiler.createLanguageService(host);
}
