import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { type Logger, startGenApi } from "gen-api";
import { describe, expect, test } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const program = new URL("../../fixtures/logging/logging-gateway.js", import.meta.url).pathname;

/** Runs a process with a gateway, a service node, faults and hostile values. @returns what it wrote */
async function run(logger: unknown) {
  return promisify(execFile)(process.execPath, [program, JSON.stringify(logger)], { timeout: 100_000 });
}

const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: number; event: string; [field: string]: unknown });

describe("a gateway and a service node", () => {
  test("write nothing with `logger: false`", async () => {
    expect(await run(false)).toEqual({ stdout: "", stderr: "" });
  });

  test("log one JSON object a line, from the level on, and nothing on stderr", async () => {
    const { stdout, stderr } = await run(true);
    expect(stderr).toBe("");
    const lines = linesOf(stdout);
    expect(lines.filter(({ level }) => level < 30)).toEqual([]);
    const events = lines.map(({ event }) => event);
    const expected = ["config.batch_add", "node.up", "gateway.up", "loop.held", "connection.open", "channel.join"];
    expect(events).toEqual(expect.arrayContaining(expected));
    expect(lines.find(({ event }) => event === "loop.held")).toMatchObject({
      msg: "Event loop was held",
      program: "g",
      holder: "function",
      name: "s.hold",
    });
    expect(lines.find(({ event }) => event === "executor.request.exception")).toMatchObject({
      level: 50,
      gateway: "g",
      request_type: "leak",
      error: { type: "TypeError", message: "upstream failed", stack: expect.stringContaining("hostile-log.js") },
    });
    // The gateway and the node share the log.
    expect(events.filter((event) => event === "node.up")).toHaveLength(1);
  });

  test("never log arguments, tokens, passwords, or what an error holds beside its message", async () => {
    const { stdout, stderr } = await run("debug");
    const lines = linesOf(stdout);
    expect(lines.length).toBeGreaterThan(60);
    expect(stdout + stderr).not.toContain("SECRET");
  });
});

test("without pino, a level is refused by an error that says what to do; a logger of the host's needs none", async () => {
  const refuse = 'if (name === "pino") throw new Error("Cannot find package pino"); return next(name, context);';
  const hook = `data:text/javascript,${encodeURIComponent(`export const resolve = (name, context, next) => { ${refuse} }`)}`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(hook)});`;
  const start = (logger: string) => `
    import { startGenApi } from "gen-api";
    const gateway = await startGenApi({ logger: ${logger} }).catch(({ code, message }) => console.log(code, message));
    await gateway?.stop();`;
  const run = (logger: string) => {
    const hooks = ["--import", `data:text/javascript,${encodeURIComponent(register)}`];
    return promisify(execFile)(process.execPath, [...hooks, "--input-type=module", "-e", start(logger)], { cwd: root });
  };
  expect((await run('"info"')).stdout).toBe(
    "invalid_option logger needs the package pino: run `npm install pino`, or pass a logger of your own " +
      "(Cannot find package pino)\n",
  );
  expect((await run("{ debug() {}, info() {}, warn() {}, error() {} }")).stdout).toBe("");
});

test.each(["loud", 3, {}, { info: () => undefined }, null])("%o is no logger, and is not shown", async (logger) => {
  await expect(startGenApi({ logger: logger as unknown as Logger })).rejects.toMatchObject({
    code: "invalid_option",
    message: expect.stringMatching(
      /logger must be true, false, "stderr", a level \("debug", "info", "warn", "error"\), or a logger with methods of these names, got \w+$/,
    ),
  });
});

test("nothing in src/ writes to the console or to stdout by itself but the log", () => {
  const sources = new URL("../../../src/", import.meta.url);
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(100);
  const writers = files.filter((name) => {
    const code = readFileSync(new URL(name, sources), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    return /\bconsole\.|process\.(stdout|stderr|emitWarning|_rawDebug)\b|\bprocess\[/.test(code);
  });
  // The command-line tool is a program, not the library.
  expect(writers.filter((name) => !name.startsWith("cli/")).sort()).toEqual([
    // What a host's callback threw, where nobody listens to telemetry: otherwise nobody would learn of it.
    "actor/registry/monitor.ts",
    // A fault of the library's own while it waits for somebody's promise: there is nobody else to be told of it.
    "core/foreign/thenable.ts",
    "telemetry/log/standard-output.ts",
    // It bounds what functions write there.
    "worker/thread/thread-loop.ts",
  ]);
});

test("every event has somebody in src/ who emits it", async () => {
  const { eventNames } = await import("../../../src/telemetry/event-names.ts");
  const sources = new URL("../../../src/", import.meta.url);
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const code = files.map((name) => readFileSync(new URL(name, sources), "utf8")).join("\n");
  const emitted = [...code.matchAll(/telemetryEvent\(\s*"([a-z_.]+)"/g)].map(([, name = ""]) => name);
  expect([...new Set(emitted)].toSorted()).toEqual([...eventNames].toSorted());
});
