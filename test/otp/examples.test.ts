import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

// The examples in the comments of what `gen-api/otp` exports are compiled, and run one after the other.
const root = new URL("../..", import.meta.url).pathname;
const entry = join(root, "src/otp.ts");

/** What examples take for granted, each in a system of its own. */
const around = `
const cache = fromGenServer({
  init: () => new Map<string, string>(),
  handleCall: { get: (state, key: string) => state.get(key), size: (state) => state.size },
});
const counter = fromGenServer({
  init: (from: number) => ({ count: from }),
  handleCall: { add: (state, by: number) => (state.count += by) },
  handleCast: { reset: (state) => void (state.count = 0) },
});
const poller = fromResource(() => () => undefined);
const order = setup({ types: { events: {} as { type: "pay" } } }).createMachine({
  initial: "open",
  states: { open: { on: { pay: "paid" } }, paid: {} },
});
const fetchPrices = async () => [1];
const pageOf = async (url: string, _options: { signal: AbortSignal }) => url;
const start = () =>
  startSystem({
    name: "examples",
    children: [
      { id: "server", name: "cache", logic: cache },
      childSpec({ id: "adder", name: "counter", logic: counter, input: 40 }),
      { id: "dynamic", name: "orders", logic: fromDynamicSupervisor() },
      { id: "poller", logic: poller },
      { id: "tasks", name: "tasks", logic: fromDynamicSupervisor() },
    ],
  });
`;

interface Exported {
  readonly name: string;
  readonly isValue: boolean;
  readonly isOwn: boolean;
  readonly examples: readonly string[];
}

let folder: string;
let exported: readonly Exported[];
beforeAll(() => {
  folder = mkdtempSync(join(root, ".readme-examples-"));
  exported = readExports();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every function that gen-api/otp exports, and every type of its own, has an example", () => {
  // The errors' and the clock's are the whole package's, and have pages of their own.
  const elsewhere = ["GenApiError", "isGenApiError", "systemClock"];
  const due = exported.filter(({ name, isValue, isOwn }) => (isValue || isOwn) && !elsewhere.includes(name));
  expect(due.length).toBeGreaterThan(40);
  expect(due.filter(({ examples }) => examples.length === 0).map(({ name }) => name)).toEqual([]);
});

test("the examples compile, and run to their end", () => {
  const examples = exported.flatMap(({ name, examples }) => examples.map((code) => ({ name, code })));
  const names = exported.map(({ name, isValue }) => (isValue ? name : `type ${name}`)).join(", ");
  const functions = examples.map(
    ({ name, code }) => `
{
  console.log(${JSON.stringify(name)});
  const system = start();
  const ref = await startChild(system.root, { id: "ref", logic: counter, input: 0, restart: "temporary" });
  const worker = ref;
  const manager = system.whereis("cache");
  {
${code}
  }
  await system.shutdown();
  worker.id + manager?.id;
}`,
  );
  const head = `import fs from "node:fs";\nimport { ${names} } from "gen-api/otp";\nimport { setup } from "xstate";\n`;
  writeFileSync(join(folder, "examples.ts"), `${head}${around}${functions.join("\n")}\nprocess.exit(0);\n`);
  const compilerOptions = { noEmit: false, outDir: ".", rootDir: ".", declaration: false, noUnusedLocals: false };
  const config = { extends: "../tsconfig.json", compilerOptions, files: ["examples.ts"], include: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { stdio: "inherit" });
  const printed = execFileSync(process.execPath, [join(folder, "examples.js")], { encoding: "utf8", timeout: 100_000 });
  expect(printed.split("\n")).toEqual(expect.arrayContaining(examples.map(({ name }) => name)));
});

function readExports(): readonly Exported[] {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile) as ts.Symbol;
  return checker.getExportsOfModule(module).map((alias) => {
    const symbol = alias.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(alias) : alias;
    const { declarations = [] } = symbol;
    return {
      name: alias.name,
      isValue: (symbol.flags & ts.SymbolFlags.Value) !== 0 && !isTypeOnly(alias),
      isOwn: declarations.some((node) => node.getSourceFile().fileName.includes("/src/otp/")),
      examples: symbol
        .getJsDocTags(checker)
        .filter(({ name }) => name === "example")
        .map(({ text }) => ts.displayPartsToString(text)),
    };
  });
}

/** Whether it is exported by `export type`. */
function isTypeOnly({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some((node) => ts.isExportSpecifier(node) && (node.isTypeOnly || node.parent.parent.isTypeOnly));
}
