import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StartedProgram } from "../support/processes/started-program.ts";

const root = new URL("../..", import.meta.url).pathname;
// As a clone is, with packages installed and nothing built. The tests of other files use the dist of this one.
const clone = mkdtempSync(join(tmpdir(), "gen-api-clone-"));
// Any free ports, and no setting of whoever runs the tests.
const env = { ...process.env, PORT: "0", GEN_API_ADMIN: "127.0.0.1:0", GATEWAY_URL: undefined, GEN_API_URL: undefined };

beforeAll(() => {
  for (const part of ["src", "docs", "package.json", "tsconfig.json"]) {
    cpSync(join(root, part), join(clone, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
});

afterAll(() => rmSync(clone, { recursive: true, force: true }));

function npmStart(...args: string[]): StartedProgram {
  return new StartedProgram("npm", ["start", "--", ...args], { cwd: clone, env, detached: true });
}

/** What `npm run call` runs. */
function call(url: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["docs/examples/client.js", ...args], {
    cwd: clone,
    encoding: "utf8",
    env: { ...env, GEN_API_URL: url },
  });
  return { status, stdout, stderr };
}

describe("npm start", () => {
  test("says where it listens and what to try, and nothing else; SIGTERM to npm ends all that it started", async () => {
    const program = npmStart();
    const [, url = ""] = await program.wrote(/listens on (\S+)[\s\S]*service node .* runs/);
    // npm itself says first which scripts it runs.
    const lines = program.output.split("\n").filter((line) => line !== "" && !line.startsWith("> "));
    expect(lines[0]).toMatch(/^gen-api listens on ws:/);
    expect(program.errors).toBe("");

    expect(call(url, "demo", "hello", '{"name":"you"}')).toMatchObject({ status: 0, stderr: "" });
    expect(call(url, "demo", "get_user", '{"user_id":"9"}')).toMatchObject({ status: 1, stderr: "" });

    process.kill(program.pid, "SIGTERM");
    await program.ended();
    expect(program.output).toContain("gen-api has ended: stopped");
    expect(program.output).toContain("service node orders@127.0.0.1 has ended: stopped");
    // An orderly stop is nothing to warn of.
    expect(program.errors).toBe("");
  });

  test("with --watch reloads each service when its file is saved, and goes on with what it had if that is broken", async () => {
    const program = npmStart("--watch");
    const [, url = ""] = await program.wrote(/listens on (\S+)[\s\S]*service node .* runs/);
    const save = (file: string, change: (code: string) => string) => {
      const path = join(clone, "docs/examples", file);
      writeFileSync(path, change(readFileSync(path, "utf8")));
    };
    save("demo-service.js", (code) => code.replace("Hello, ", "Welcome, "));
    await program.wrote(/demo was reloaded/);
    expect(call(url, "demo", "hello", '{"name":"you"}').stdout).toContain("Welcome, you!");
    save("order-service.js", (code) => code.replace('["apple", 2]', '["apple", 20]'));
    await program.wrote(/orders was reloaded/);
    expect(call(url, "orders", "price", '{"item":"apple","count":2}').stdout).toContain('"total": 40');
    save("demo-service.js", (code) => `${code}\nthis is no code`);
    await program.complained(/The reload of "demo" changed nothing/);
    expect(call(url, "demo", "hello", '{"name":"you"}').stdout).toContain("Welcome, you!");
    process.kill(program.pid, "SIGTERM");
    await program.ended();
    expect(program.output).toContain("gen-api has ended: stopped");
    // As the next test starts them.
    cpSync(join(root, "docs"), join(clone, "docs"), { recursive: true });
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s to all of its processes ends them in order",
    async (signal) => {
      const program = npmStart();
      await program.wrote(/service node .* runs/);
      process.kill(-program.pid, signal);
      await program.ended();
      expect(program.output).toContain("gen-api has ended: stopped");
      expect(program.output).toContain("service node orders@127.0.0.1 has ended: stopped");
    },
    90_000,
  );
});

describe("npm run call", () => {
  const nobody = "ws://127.0.0.1:1/socket";

  test.each([
    ["arguments that are no JSON", nobody, ["demo", "get_user", "{user_id:1}"], "must be JSON"],
    ["a gateway that is not there", nobody, ["demo", "hello"], "start one with: npm start"],
    ["an address that is none", "nonsense", ["demo", "hello"], "GEN_API_URL must be like"],
  ])("says in one line what is wrong with %s", (_what, url, args, says) => {
    const { status, stdout, stderr } = call(url, ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});
