import { type ChildProcess, execFile, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, constants as fs, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { LogFlood } from "../../../src/telemetry/log/log-flood.ts";
import { leftOutLine, stderrLogger } from "../../../src/telemetry/log/stderr-logger.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const root = new URL("../../..", import.meta.url).pathname;
const program = new URL("../../fixtures/failing-gateway.js", import.meta.url).pathname;
const isWindows = process.platform === "win32";

/** Runs a module's text in a process of its own. @returns what it wrote */
async function run(...lines: string[]) {
  const imports = [
    'import { startGenApi, startServiceNode } from "gen-api";',
    'import { link } from "gen-api/link";',
    'import failing from "./test/fixtures/failing.js";',
    "const workerPool = { threads: 1 };",
  ];
  const text = [...imports, ...lines].join("\n");
  return promisify(execFile)(process.execPath, ["--input-type=module", "-e", text], { cwd: root, timeout: 100_000 });
}

/** Calls each of these functions once, then stops the gateway. */
const callAll = (...names: string[]) => `
  for (const requestType of ${JSON.stringify(names)}) {
    const request = { service: "failing", requestType };
    await (requestType.endsWith("Stream") ? gateway.stream(request).next() : gateway.request(request)).catch(() => 0);
  }
  await gateway.stop();`;

const titlesOf = (stderr: string) => stderr.split("\n").filter((line) => /^\d{4}-\d\d-\d\dT[\d:.]{12}Z /.test(line));

describe("without a `logger`", () => {
  test("each failure of a function is a line on stderr that names the function, with the stack below it", async () => {
    const names = ["throws", "throwsOnMain", "rejects", "bigInt", "circular", "circularOnMain", "noStream", "retried"];
    const { stdout, stderr } = await run(
      "const gateway = await startGenApi({ functions: [failing], workerPool });",
      callAll(...names),
    );
    expect(stdout).toBe("");
    const errors = titlesOf(stderr).filter((line) => line.includes("Z ERROR "));
    // Each attempt of the one that is retried.
    expect(errors.map((line) => / {2}request_type=(\w+)/.exec(line)?.[1])).toEqual([...names, "retried"]);
    expect(errors[0]).toMatch(/Z ERROR Exception in a request {2}gateway=gen_api@127\.0\.0\.1 .* service=failing /);
    expect(stderr).toMatch(/\n {4}TypeError: Cannot read properties of undefined[^\n]*\n {8}at .*failing\.js/);
    expect(stderr).toContain("TypeError: Do not know how to serialize a BigInt");
    expect(stderr).toContain("Converting circular structure to JSON");
    expect(stderr).toContain("A stream's function must be a generator");
  });

  test("what is the clients' own doing, and what a function means to tell them, is no line", async () => {
    const { stdout, stderr } = await run(
      "const gateway = await startGenApi({ functions: [failing], workerPool });",
      callAll("soldOut", "missing"),
    );
    expect({ stdout, stderr }).toEqual({ stdout: "", stderr: "" });
  });

  test("a gateway and a service node in one process write each line once, with the stack from the node's thread", async () => {
    const { stderr } = await run(
      "const gateway = await startGenApi({ listen: { port: 0 }, cluster: link(), workerPool });",
      'const gateways = [gateway.address.url.replace("/socket", "/node")];',
      'const node = await startServiceNode({ name: "n", functions: [failing], cluster: link({ gateways }), workerPool });',
      "await node.connected();",
      callAll("throws"),
      "await node.stop();",
    );
    const messages = titlesOf(stderr).map((line) => /ERROR (.*?) {2}/.exec(line)?.[1] ?? "another level");
    expect(messages.filter((message) => message === "Exception in a request")).toHaveLength(1);
    expect(messages.filter((message) => message === "Function failed for a gateway")).toHaveLength(1);
    expect(stderr.split("failing.js").length - 1).toBe(2);
  });

  test("nothing is on stderr while another program of the process has a logger: it gets the lines of both", async () => {
    const { stdout, stderr } = await run(
      "const none = () => undefined;",
      "const error = (record, message) => console.log(message, record.gateway);",
      "const logger = { debug: none, info: none, warn: none, error };",
      "const gateway = await startGenApi({ functions: [failing], workerPool });",
      'const other = await startGenApi({ name: "other", logger, workerPool });',
      'await gateway.request({ service: "failing", requestType: "throws" });',
      "await other.stop();",
      callAll("throws"),
    );
    expect(stdout).toBe("Exception in a request gen_api@127.0.0.1\n");
    expect(titlesOf(stderr)).toHaveLength(1);
  });

  test("a flood of one failure is ten lines and a count, and does not hide another failure", async () => {
    const { stderr } = await run(
      "const gateway = await startGenApi({ functions: [failing], workerPool });",
      'const fail = () => gateway.request({ service: "failing", requestType: "throwsOnMain" });',
      "for (let count = 0; count < 500; count++) await fail();",
      callAll("throws"),
    );
    const titles = titlesOf(stderr);
    const ofFlood = titles.filter((line) => line.includes("request_type=throwsOnMain"));
    const leftOut = titles.filter((line) => line.includes("further lines were left out"));
    const counts = leftOut.map((line) => Number(/count=(\d+)/.exec(line)?.[1]));
    expect(ofFlood.length).toBeGreaterThanOrEqual(10);
    // Ten in each second that it took.
    expect(ofFlood.length).toBeLessThanOrEqual(50);
    expect(ofFlood.length + counts.reduce((sum, count) => sum + count, 0)).toBe(500);
    expect(titles.filter((line) => line.includes("request_type=throws "))).toHaveLength(1);
  });
});

describe("a stderr that cannot be written harms nobody:", () => {
  async function start(stderr: number | "pipe", ...args: string[]): Promise<ChildProcess> {
    const child = fork(program, args, { stdio: ["ignore", "ignore", stderr, "ipc"], execArgv: [] });
    onTestFinished(() => void child.kill("SIGKILL"));
    expect(await once(child, "message")).toContain("ready");
    return child;
  }

  /** It answers, and ends on SIGTERM as it would. */
  async function expectUnharmed(child: ChildProcess) {
    for (const name of ["throws", "throwsOnMain", "bigInt"]) {
      child.send(name);
      expect(await once(child, "message")).toContain("internal");
    }
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  }

  test.skipIf(!existsSync("/dev/full"))("one on a full disk", async () => {
    const full = openSync("/dev/full", "w");
    const child = await start(full);
    closeSync(full);
    await expectUnharmed(child);
  });

  test.skipIf(isWindows)("one that nobody reads any more", async () => {
    const child = await start("pipe");
    child.stderr?.destroy();
    await expectUnharmed(child);
  });

  test.skipIf(isWindows)("a full pipe whose reader has stopped reading", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gen-api-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const fifo = join(folder, "log");
    execFileSync("mkfifo", [fifo]);
    const reader = openSync(fifo, fs.O_RDONLY | fs.O_NONBLOCK);
    const writer = openSync(fifo, fs.O_WRONLY);
    onTestFinished(() => closeSync(reader));
    const child = await start(writer, "fill");
    closeSync(writer);
    await expectUnharmed(child);
    expect(readSync(reader, Buffer.alloc(16))).toBe(16);
  });
});

describe("the lines on stderr", () => {
  function openLogger(style = { isColoured: false, isTerminal: false }) {
    const lines: string[] = [];
    const sink = { write: (line: string) => void lines.push(line) };
    const clock = new SimulatedClock();
    const flood = new LogFlood(clock, (message, count) => sink.write(leftOutLine(message, count, clock, style)));
    return { lines, clock, logger: stderrLogger(sink, flood, clock, style) };
  }
  const record = (fields: object) => ({ event: "x", system_time: 1, ...fields });

  test("have the day where they go to a file, the time of day and colours in a terminal", () => {
    const file = openLogger();
    file.logger.warn(record({ node: "n" }), "Held");
    expect(file.lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z WARN {2}Held {2}node=n\n$/);
    const terminal = openLogger({ isColoured: true, isTerminal: true });
    terminal.logger.error(record({}), "Lost");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the colour
    expect(terminal.lines[0]).toMatch(/^[\d:.]{12} \u001B\[31mERROR\u001B\[0m Lost\n$/);
  });

  test("cannot be steered or forged by what clients send", () => {
    const { lines, logger } = openLogger();
    logger.warn(record({ reason: "a\u001B[2J\r\n2026-01-01T00:00:00.000Z ERROR forged" }), "Refused");
    expect(lines[0]?.trimEnd().split("\n")).toHaveLength(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(lines[0]).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
  });

  test("are ten of a kind and a hundred in all in a second; how many were left out follows when it is over", () => {
    const { lines, clock, logger } = openLogger();
    for (let count = 0; count < 25; count++) logger.error(record({ service: "a", request_type: "b" }), "Failed");
    expect(lines).toHaveLength(10);
    logger.error(record({ service: "a", request_type: "c" }), "Failed");
    expect(lines).toHaveLength(11);
    clock.advance(1_000);
    expect(lines.slice(11)).toEqual([
      expect.stringMatching(/ WARN {2}Failed: further lines were left out {2}count=15\n$/),
    ]);
    for (let kind = 0; kind < 30; kind++) {
      for (let count = 0; count < 5; count++)
        logger.error(record({ service: "a", request_type: `f${kind}` }), "Failed");
    }
    expect(lines).toHaveLength(112);
    clock.advance(1_000);
    expect(lines.at(-1)).toContain("count=50");
    expect(clock.pending).toBe(0);
  });
});
