import { type ChildProcess, execFile, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, existsSync, constants as fs, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const program = new URL("../../fixtures/logging/unwritable-log.js", import.meta.url).pathname;
const isWindows = process.platform === "win32";

/** A gateway, in a process of its own, whose log goes to `stdout`. */
async function start(stdout: number | "pipe"): Promise<ChildProcess> {
  const child = fork(program, { stdio: ["ignore", stdout, "inherit", "ipc"], execArgv: [] });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await once(child, "message")).toContain("ready");
  return child;
}

/** Has it log a line, and waits for the answer to the request that the line is of. */
async function request(child: ChildProcess): Promise<unknown> {
  child.send("request");
  const [answer] = await once(child, "message");
  return answer;
}

/** @returns its exit code and signal */
async function terminate(child: ChildProcess): Promise<unknown[]> {
  child.kill("SIGTERM");
  return once(child, "exit");
}

test.skipIf(!existsSync("/dev/full"))(
  "a gateway whose log's disk is full answers on, and ends on SIGTERM",
  async () => {
    const full = openSync("/dev/full", "w");
    const child = await start(full);
    closeSync(full);
    for (let count = 0; count < 3; count++) expect(await request(child)).toBe("not_found");
    expect(await terminate(child)).toEqual([0, null]);
  },
);

test.skipIf(isWindows)("so does one whose log nobody reads any more", async () => {
  const child = await start("pipe");
  child.stdout?.destroy();
  for (let count = 0; count < 3; count++) expect(await request(child)).toBe("not_found");
  expect(await terminate(child)).toEqual([0, null]);
});

test.skipIf(isWindows)("once the log can be written again, the lines that waited come, and further ones", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gen-api-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const fifo = join(folder, "log");
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, fs.O_RDONLY | fs.O_NONBLOCK);
  const writer = openSync(fifo, fs.O_WRONLY);
  const child = await start(writer);
  closeSync(writer);
  closeSync(reader);
  for (let count = 0; count < 3; count++) expect(await request(child)).toBe("not_found");
  let log = "";
  const isRead = (lines: number) => log.split("executor.request.stop").length > lines;
  const stream = createReadStream(fifo, "utf8");
  for await (const chunk of stream) {
    log += chunk;
    if (isRead(4)) break;
    if (isRead(3)) expect(await request(child)).toBe("not_found");
  }
  const events = log
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as { event: string }).event);
  expect(events.filter((event) => event === "executor.request.stop")).toHaveLength(4);
  expect(await terminate(child)).toEqual([0, null]);
});

test("a program that exits at once has all its lines in the log", async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, "burst"]);
  expect(stderr).toBe("");
  expect(stdout.split("executor.request.stop")).toHaveLength(501);
});
