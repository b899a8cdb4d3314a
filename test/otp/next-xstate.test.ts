import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

// XSTATE_NEXT=6.0.0-alpha.52 npm run test:only -- test/otp/next-xstate.test.ts
// runs the tests of the actor layer against that XState. That one was the newest of the next major when this was
// written: no tag of npm's named it, and its releases broke one another. Without the variable nothing runs.
const version = process.env.XSTATE_NEXT;
const root = new URL("../..", import.meta.url).pathname;

/** Installs that XState beside the package's own, once for each clone. @returns its module */
function install(version: string): string {
  const folder = join(root, "node_modules/.cache", `gen-api-xstate-${version}`);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: { xstate: version } }));
    try {
      execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
        cwd: folder,
        stdio: "inherit",
      });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }
  return join(folder, "node_modules/xstate/dist/xstate.cjs.mjs");
}

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

/** Runs the tests of the actor layer, but for those of what was built. */
async function run(xstate: string): Promise<Report> {
  const folder = mkdtempSync(join(root, ".readme-xstate-"));
  const file = join(folder, "report.json");
  const excluded = ["examples", "import-graph", "next-xstate"].flatMap((name) => [
    "--exclude",
    `test/otp/${name}.test.ts`,
  ]);
  const args = ["run", "--config", "test/vitest.config.ts", "test/otp", "test/actor", ...excluded];
  const reporting = ["--reporter=json", `--outputFile=${file}`];
  const env = { PATH: process.env.PATH, GEN_API_TEST_XSTATE: xstate };
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  try {
    await new Promise<void>((resolve) => {
      // What fails is in the report.
      execFile(process.execPath, [vitest, ...args, ...reporting], { cwd: root, env, timeout: 250_000 }, () =>
        resolve(),
      );
    });
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the actor layer does the same on XState's next major", { timeout: 300_000 }, async ({ skip }) => {
  if (version === undefined) {
    skip("XSTATE_NEXT names no version of XState to run the tests of the actor layer against");
    return;
  }
  const { testResults, numPassedTests } = await run(install(version));
  // How many tests failed, by what they failed with: few causes fail many tests.
  const failed: Record<string, number> = {};
  for (const { message, assertionResults } of testResults) {
    const failures = assertionResults.flatMap(({ failureMessages }) => failureMessages.slice(0, 1));
    for (const failure of assertionResults.length === 0 ? [message] : failures) {
      const [cause = ""] = failure.split("\n");
      failed[cause] = (failed[cause] ?? 0) + 1;
    }
  }
  expect(failed).toEqual({});
  expect(numPassedTests).toBeGreaterThan(150);
});
