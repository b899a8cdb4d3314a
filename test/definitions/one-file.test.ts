import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../fixtures/definitions/one-file.js", import.meta.url));

/** Runs the program to its end. */
function run(how: string): Promise<{ readonly lines: readonly string[] }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program], { timeout: 100_000, env: { ...process.env, HOW: how } }, (error, stdout) => {
      if (error?.killed === true) reject(new Error(`the program does not end: ${stdout}`));
      else resolve({ lines: stdout.trim().split("\n") });
    });
  });
}

describe("a program of one file, which its threads import too,", () => {
  test.each(["void", "catch", "late"])("starts once and runs where its start is not waited for: %s", async (how) => {
    const { lines } = await run(how);
    expect(lines.filter((line) => line.startsWith("started"))).toEqual(["started true"]);
    expect(lines).toContain("hello from a thread");
    expect(lines.filter((line) => line.startsWith("failed"))).toEqual([]);
    expect(lines.filter((line) => line.startsWith("log")).join("\n")).toMatch(
      /log startGenApi was called at file:.*one-file\.js:\d+:\d+ on a thread that runs functions, and starts nothing there/,
    );
  });

  test.each([
    ["await", "startGenApi"],
    ["node", "startServiceNode"],
  ])("is told why it cannot start where its import waits for the start: %s", async (how, called) => {
    const { lines } = await run(how);
    expect(lines.filter((line) => line.startsWith("started"))).toEqual([]);
    const failures = lines.filter((line) => line.startsWith("failed"));
    expect(failures).toHaveLength(1);
    // At once: an import that is given up after ten seconds has another message.
    expect(failures[0]).toMatch(
      new RegExp(
        `failed module_unreadable The module file:.*one-file\\.js cannot be imported: it waits for ${called}, which it calls at file:.*one-file\\.js:\\d+:\\d+ when it is imported; move the functions into a file of their own, or start only where \`isMainThread\``,
      ),
    );
  });

  test("is told so too where its functions run on the main thread, and the import would wait for itself", async () => {
    const { lines } = await run("main");
    expect(lines.join("\n")).toMatch(
      /failed module_unreadable The module file:.*one-file\.js took longer than 10000 ms/,
    );
  });

  test("runs where only its main thread starts it, without a word in the log", async () => {
    const { lines } = await run("guarded");
    expect(lines).toEqual(["started true", "hello from a thread"]);
  });

  test("may be started by a worker of the host's own", async () => {
    const { lines } = await run("worker");
    expect(lines.filter((line) => line.startsWith("started"))).toEqual(["started false"]);
    expect(lines).toContain("hello from a thread");
  });
});
