import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import type { InspectionEvent } from "xstate";
import type { InspectedEvent } from "../../src/actor/inspection/inspection.ts";

// What editors and compilers of hosts read: the declarations in dist.
const root = new URL("../..", import.meta.url).pathname;
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, { readonly types?: string }>>;
};
const entries = Object.entries(exports).flatMap(([name, { types }]) =>
  types === undefined ? [] : [{ name: name.replace(".", "gen-api"), file: join(root, types) }],
);

describe("every entry", () => {
  let program: ts.Program;
  let checker: ts.TypeChecker;

  beforeAll(() => {
    program = ts.createProgram({
      rootNames: entries.map(({ file }) => file),
      options: {
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
      },
    });
    checker = program.getTypeChecker();
  });

  // First: a checker that was asked for comments takes the links in them for uses.
  test("compiles in a host with exactOptionalPropertyTypes and without skipLibCheck", () => {
    const faults = ts
      .getPreEmitDiagnostics(program)
      // The declarations of the NATS client, which gen-api/nats needs, do not, whoever imports them.
      .filter(({ file }) => !file?.fileName.includes("/node_modules/@nats-io/"))
      .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
    expect(faults).toEqual([]);
  });

  test.each(entries)("documents its names, and each of their fields: $name", ({ file }) => {
    const names = exportsOf(file);
    expect(names.length).toBeGreaterThan(0);
    const missing = names.flatMap((symbol) => [
      ...(isDocumented(symbol) ? [] : [symbol.name]),
      // Events are listed in docs/telemetry.md, and tests hold it.
      ...(symbol.name === "TelemetryEvents" ? [] : membersOf(symbol))
        .filter((member) => !isDocumented(member))
        .map((member) => `${symbol.name}.${member.name}`),
    ]);
    expect(missing).toEqual([]);
  });

  function exportsOf(file: string): ts.Symbol[] {
    const source = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
    return checker
      .getExportsOfModule(source)
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));
  }

  /** The fields and methods of an interface, a class or an object type; inherited ones that are this package's too. */
  function membersOf(symbol: ts.Symbol): ts.Symbol[] {
    if ((symbol.flags & ts.SymbolFlags.Type) === 0) return [];
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    if ((type.flags & ts.TypeFlags.Object) === 0) return [];
    return type.getProperties().filter((member) => isOwn(member) && member.name !== "#private");
  }

  function isOwn({ declarations = [] }: ts.Symbol): boolean {
    return declarations.some((node) => node.getSourceFile().fileName.startsWith(join(root, "dist/")));
  }

  function isDocumented(symbol: ts.Symbol): boolean {
    return symbol.getDocumentationComment(checker).length > 0;
  }
});

test("what inspectors are shown is what XState's inspectors take", () => {
  expectTypeOf<InspectedEvent>().toExtend<InspectionEvent>();
});
