import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type ts from "typescript";

const root = new URL("../..", import.meta.url).pathname;

// As devDependencies each of them would be `npx tsc`, whichever npm links last.
const others = { typescript59: "npm:typescript@5.9.3", typescript7: "npm:typescript@7.0.2" };
const cache = join(root, "node_modules/.cache");
const installed = join(
  cache,
  `gen-api-${Object.values(others)
    .join("-")
    .replaceAll(/[^\d.-]+/g, "")}`,
);

/** The versions of TypeScript that the README names: the oldest, the one that builds the package, the newest. */
export const typescripts = ["5.9", "6", "7"] as const;

export type TypeScriptVersion = (typeof typescripts)[number];

/** Installs those that are no devDependency, once for each clone. */
export function installTypescripts(): void {
  if (existsSync(installed)) return;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "installing-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: others }));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
  try {
    renameSync(folder, installed);
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true });
    // Another test file may have been first.
    if (!existsSync(installed)) throw thrown;
  }
}

/**
 * Checks the types of the project in `folder`.
 * @returns the lines that the compiler prints: none where everything is right
 */
export async function checkTypes(version: TypeScriptVersion, folder: string): Promise<readonly string[]> {
  const args = [join(folderOf(version), "bin/tsc"), "--project", folder, "--noEmit", "--pretty", "false"];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 24 }, (failure, stdout, stderr) => {
      // A compiler that could not run at all has printed nothing, perhaps.
      resolve(stdout + stderr || (failure?.message ?? ""));
    });
  });
  return output.split("\n").filter((line) => line !== "");
}

/** The compiler as a library, which TypeScript 7 is not. */
export function compilerOf(version: "5.9" | "6"): typeof ts {
  return createRequire(import.meta.url)(folderOf(version)) as typeof ts;
}

function folderOf(version: TypeScriptVersion): string {
  if (version === "6") return join(root, "node_modules/typescript");
  return join(installed, "node_modules", version === "7" ? "typescript7" : "typescript59");
}
