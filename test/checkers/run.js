// @ts-check
// `node test/checkers/run.js NAME ARGS` runs one of the checkers. Neither gen-api nor its tests need them, and they are half
// of what there would be to install: they are installed here when one first runs, and when their lock file is newer.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const [name = "", ...args] = process.argv.slice(2);

/** @param {string} file */
const changedAt = (file) => statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (changedAt("node_modules/.package-lock.json") < changedAt("package-lock.json")) {
  run("npm", ["ci", "--prefix", folder, "--loglevel=error"]);
}
run(join(folder, "node_modules/.bin", name), args);

/**
 * Runs a program to its end; when it fails, this one ends with its exit code.
 * @param {string} program
 * @param {readonly string[]} programArgs
 */
function run(program, programArgs) {
  const { status, error } = spawnSync(program, programArgs, { stdio: ["inherit", "inherit", "inherit"] });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
