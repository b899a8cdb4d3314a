import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const readme = readFileSync(join(root, "README.md"), "utf8");
let folder: string;

/** The README's TypeScript, each block in the file that its first line names, compiled with the project's strictness. */
beforeAll(() => {
  folder = mkdtempSync(join(root, ".readme-"));
  const blocks = [...readme.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g)];
  for (const [, name = "", code = ""] of blocks) writeFileSync(join(folder, name), code);
  const compilerOptions = { noEmit: false, outDir: folder, rootDir: folder, sourceMap: false, declaration: false };
  const config = {
    extends: "../tsconfig.json",
    compilerOptions: { ...compilerOptions, declarationMap: false },
    files: blocks.map(([, name]) => name),
    include: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { stdio: "inherit" });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(name: string) {
  const child = spawn(process.execPath, [join(folder, name)], { stdio: ["ignore", "pipe", "inherit"] });
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
}

test("the quick start, as it is written, prints what it says", async () => {
  const server = start("server.js");
  expect((await server.lines.next()).value).toBe("listening on ws://127.0.0.1:4000/socket");
  const client = start("client.js");
  const line = (await client.lines.next()).value;
  expect(readme).toContain(`It prints \`${line}\``);
  expect(await once(client.child, "exit")).toEqual([0, null]);
  server.child.kill("SIGTERM");
  expect(await once(server.child, "exit")).toEqual([0, null]);
});

test("the host program's own call, as it is written, works and its process ends", async () => {
  const { child, lines } = start("in-process.js");
  expect((await lines.next()).value).toBe("{ id: '1', name: 'Alice' }");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("the stream under limits, as it is written, works and its process ends", async () => {
  const { child, lines } = start("limits.js");
  for (const tick of [1, 2, 3]) expect((await lines.next()).value).toBe(`{ tick: ${tick} }`);
  expect((await lines.next()).value).toBe("[ { key: 'userId', maxRequests: 2000, windowMs: 60000 } ]");
  expect(await once(child, "exit")).toEqual([0, null]);
});
