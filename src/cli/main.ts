#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { CliError, exitCodes } from "./cli-error.ts";
import { createProgram } from "./program.ts";
import { plain } from "./text.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

// `gen-api tree | head`: who reads no further wants no more.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(exitCodes.ok);
});

const program = createProgram(version, (text) => process.stdout.write(`${text}\n`)).exitOverride();
for (const command of program.commands) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has told its message itself; help and version are no failures.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else if (error instanceof CliError) {
    process.stderr.write(`gen-api: ${plain(error.message)}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
