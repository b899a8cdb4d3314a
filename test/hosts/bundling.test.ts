import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HostApp, makeProject } from "../support/host-app.ts";
import { pageFiles } from "../support/page-files.ts";
import { connectClient } from "../support/phoenix-client.ts";

// The files, the commands and the failures of docs/bundling.md, as they are written.
const page = readFileSync(new URL("../../docs/bundling.md", import.meta.url), "utf8");
const files = pageFiles("docs/bundling.md");
const folder = mkdtempSync(join(tmpdir(), "gen-api-bundling-"));
const source = join(folder, "source");
const target = join(folder, "target");

const packages = ["esbuild@0.28", "rollup@4", "vite@8", "webpack@5", "webpack-cli@6"];

beforeAll(() => makeProject(source, packages), 180_000);
beforeEach(() => {
  for (const [name, code] of files) writeFileSync(join(source, name), code);
  for (const made of [join(source, "out"), target]) rmSync(made, { recursive: true, force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The command under a heading of the page. */
function command(heading: string): string {
  const [, found = ""] = new RegExp(`^## ${heading}$[^]*?\`\`\`sh\n(.*)\n\`\`\``, "m").exec(page) ?? [];
  expect(found).toMatch(/^npx /);
  return found;
}

/** Runs a command in the project with the sources. @returns what it printed, of one that fails too */
async function build(text: string): Promise<string> {
  // What npx would find, without npx, which takes a second for it.
  const env = { ...process.env, PATH: `${join(source, "node_modules/.bin")}${delimiter}${process.env.PATH}` };
  const command = ["-c", text.replace(/^npx /, "")];
  const { stdout, stderr } = await promisify(execFile)("sh", command, { cwd: source, env }).catch((failed) => failed);
  return `${stdout}${stderr}`;
}

/** The output alone in another folder, with the packages and without the sources, as the Dockerfile copies it. */
function deploy(): void {
  mkdirSync(target);
  for (const name of ["package.json", "out"]) cpSync(join(source, name), join(target, name), { recursive: true });
  symlinkSync(join(source, "node_modules"), join(target, "node_modules"));
  for (const name of files.keys()) {
    for (const ending of ["js", "ts"]) rmSync(join(source, name.replace(/js$/, ending)), { force: true });
  }
}

async function expectToServe(): Promise<void> {
  await using app = await HostApp.start(target, "out/server.js");
  await app.listening();
  await using client = await connectClient(`ws://127.0.0.1:${app.port}/socket`, { service: "hello" });
  expect((await client.request("greet", { name: "World" })).response.result).toBe("Hello World");
  expect(app.printed).toContain("Hello you");
  await client.close();
  expect(await app.stop()).toBe(0);
}

/** What a program prints that cannot start; it must end by itself. */
async function failure(): Promise<string> {
  await using app = await HostApp.start(target, "out/server.js");
  await expect(app.listening()).rejects.toThrow("has ended");
  return app.printed;
}

/** What the page says is seen where something does not work; "…" stands for anything. */
function expectSaid(printed: string, said: string): void {
  expect(page).toContain(`\`${said}\``);
  for (const part of said.split("…")) expect(printed).toContain(part);
}

describe("the command of docs/bundling.md for", () => {
  test.each(["esbuild", "Rollup", "Vite", "webpack"])(
    "%s makes a program that runs without its sources",
    async (name) => {
      await build(command(name));
      deploy();
      await expectToServe();
    },
  );

  test("esbuild takes TypeScript, and minifies", async () => {
    for (const [name, code] of files) writeFileSync(join(source, name.replace(/js$/, "ts")), code);
    for (const name of files.keys()) rmSync(join(source, name));
    await build(`${command("esbuild").replaceAll(".js ", ".ts ")} --minify`);
    deploy();
    await expectToServe();
  });

  test("esbuild is that of the Dockerfile", () => {
    expect(page).toContain(`RUN ${command("esbuild")}\n`);
  });
});

describe("what docs/bundling.md says does not work ends at once with what it says:", () => {
  const inOne = "it waits for startGenApi, which it calls at …";

  test("a service that is no entry of its own", async () => {
    await build(command("esbuild").replace(" users.js", ""));
    deploy();
    expectSaid(await failure(), inOne);
  });

  test("no splitting", async () => {
    await build(command("esbuild").replace(" --splitting", ""));
    deploy();
    expectSaid(await failure(), inOne);
  });

  test("gen-api in the bundle", async () => {
    await build(command("esbuild").replace(" --packages=external", ""));
    deploy();
    expectSaid(await failure(), 'Dynamic require of "events" is not supported');
  });

  test("CommonJS", async () => {
    const cjs = command("esbuild").replace(" --splitting", "").replace("=esm", "=cjs");
    expect(await build(cjs)).toContain("Top-level await is currently not supported");
    const server = files.get("server.js") ?? "";
    writeFileSync(join(source, "server.js"), server.replace("await startGenApi", "startGenApi"));
    await build(cjs);
    writeFileSync(join(source, "package.json"), "{}");
    deploy();
    writeFileSync(join(source, "package.json"), JSON.stringify({ private: true, type: "module" }));
    expectSaid(await failure(), "the second argument must be import.meta.url, the URL of the module, got nothing");
  });

  test("webpack that writes the path of the source", async () => {
    const config = files.get("webpack.config.js") ?? "";
    writeFileSync(join(source, "webpack.config.js"), config.replace(/ {2}module: .*\n/, ""));
    await build(command("webpack"));
    deploy();
    expectSaid(await failure(), "module_unreadable");
  });
});

test("the versions of the page are those of these tests", () => {
  const named = packages.filter((spec) => spec !== "webpack-cli@6").map((spec) => spec.replace("@", " "));
  for (const name of named) expect(page).toMatch(new RegExp(`\\b${name}\\b`));
});
