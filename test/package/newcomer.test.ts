import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { typescriptBlocks } from "../docs/blocks.ts";
import { StartedProgram } from "../support/processes/started-program.ts";

// What somebody meets who has nothing but the package and the README.
const root = new URL("../..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "gen-api-newcomer-"));
const tools = join(folder, "tools");
const tarball = join(folder, "gen-api-0.1.0.tgz");
const readme = readFileSync(join(root, "README.md"), "utf8");
const [, quickStart = ""] = readme.split("## Quick start");
const commands = (/```sh\n([\s\S]*?)```/.exec(quickStart)?.[1] ?? "").trim().split("\n");
const blocks = new Map(typescriptBlocks(quickStart).map(({ name, code }) => [name, code]));
// The oldest that is supported, or the newest where the tests run on that.
const thisNode = process.versions.node.split(".")[0] as string;
const answer = "{ id: '1', name: 'Alice' }";

// Without the settings of the npm that runs the tests.
const outside = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));

/** The environment in which `node` is the one of a version, and the package managers are those of `tools`. */
function environment(node: string): NodeJS.ProcessEnv {
  const own = node === thisNode ? [] : [join(folder, `node${node}`, "node_modules/node/bin")];
  const path = [...own, join(tools, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return { ...Object.fromEntries(outside), YARN_CACHE_FOLDER: join(folder, "yarn-cache"), PATH: path };
}

function run(command: string, cwd: string, node = thisNode): string {
  return execFileSync("sh", ["-c", command], { cwd, env: environment(node), encoding: "utf8", stdio: "pipe" });
}

beforeAll(() => {
  mkdirSync(tools);
  // What is built is packed: to build it anew would take it from the tests that run beside.
  run(`npm pack --ignore-scripts --pack-destination ${folder}`, root);
  const quietly = "--no-audit --no-fund --no-save --no-package-lock";
  run(`npm install ${quietly} --ignore-scripts pnpm yarn publint @arethetypeswrong/cli`, tools);
  for (const version of ["22", "24"].filter((one) => one !== thisNode)) {
    // Its script fetches the binary of this platform.
    run(`npm install ${quietly} --prefix ${join(folder, `node${version}`)} node@${version}`, folder);
  }
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the README's quick start, from the packed tarball in an empty folder,", () => {
  test.each([
    ["npm", thisNode, "npm install", "--save-dev"],
    ["pnpm", "22", `pnpm add --store-dir ${join(folder, "pnpm-store")}`, "--save-dev"],
    ["yarn", "24", "yarn add --non-interactive", "--dev"],
  ])(
    "works with %s on Node %s, in TypeScript and in JavaScript",
    async (manager, node, add, forDevelopment) => {
      const project = join(folder, manager);
      mkdirSync(project);
      expect(run("node --version", project, node)).toMatch(new RegExp(`^v${node}\\.`));
      for (const command of commands) {
        const own = command
          .replace("gen-api", `file:${tarball}`)
          .replace("npm install", add)
          .replace("--save-dev", forDevelopment);
        run(own, project, node);
      }
      for (const [name, code] of blocks) writeFileSync(join(project, name), anyPort(code));
      run("npx tsc", project, node);
      await answers(project, node);

      // As the README says: the code holds no types but these.
      const untyped = (code: string) => code.replace(/^import type .*\n/m, "").replace("<[typeof users]>", "");
      const javascript = join(project, "javascript");
      mkdirSync(javascript);
      for (const [name, code] of blocks) {
        writeFileSync(join(javascript, name.replace(/ts$/, "js")), untyped(anyPort(code)));
      }
      copyFileSync(join(project, "package.json"), join(javascript, "package.json"));
      await answers(javascript, node);
    },
    180_000,
  );

  /** With what port the examples listen and call: another test's may have theirs. */
  function anyPort(code: string): string {
    return code.replace("port: 4000", "port: 0").replace('"ws://127.0.0.1:4000/socket"', 'process.argv[2] ?? ""');
  }

  async function answers(cwd: string, node: string): Promise<void> {
    const env = environment(node);
    const server = new StartedProgram("node", ["server.js"], { cwd, env });
    const [, url = ""] = await server.wrote(/listening on (\S+)/);
    const client = new StartedProgram("node", ["client.js", url], { cwd, env });
    expect(await client.ended()).toBe(0);
    expect(client.output.trim()).toBe(answer);
    process.kill(server.pid, "SIGINT");
    expect(await server.ended()).toBe(0);
    expect(server.errors + client.errors).toBe("");
  }
});

describe("the packed tarball", () => {
  test("has nothing that publint finds fault with, nor attw for hosts that are ES modules", () => {
    run(`publint run ${tarball} --strict`, folder);
    run(`attw ${tarball} --profile esm-only`, folder);
  });

  test("runs no script, and warns of nothing, when it is installed with the current npm", () => {
    const project = join(folder, "quiet");
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), "{}");
    const said = run(`npm install --no-audit --no-fund ${tarball} 2>&1`, project);
    expect(said).not.toMatch(/warn|script/i);
    expect(readdirSync(join(project, "node_modules"))).toContain("gen-api");
  });
});
