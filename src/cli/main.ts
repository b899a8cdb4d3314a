#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { CliError, exitCodes } from "./cli-error.ts";
import { createProgram } from "./program.ts";
import { plain } from "./text.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // `gen-api tree | head`: the reader wants no more.
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  // `gen-api tree > file` on a full disk.
  process.stderr.write(`gen-api: What was to be printed could not be written: ${error.message}\n`);
  process.exit(exitCodes.failed);
});

const program = createProgram(version, (text) => process.stdout.write(`${text}\n`)).exitOverride();
for (const command of program.commands) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed the message itself; help and version are not failures.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else if (error instanceof CliError) {
    process.stderr.write(`gen-api: ${plain(error.message)}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
