import { libraryError, toError } from "../../core/errors.ts";
import type { LogLevel } from "./log-lines.ts";
import type { Logger } from "./logger.ts";
import { prettyLine } from "./pretty-line.ts";
import { isColoured, isTerminal, standardLines } from "./standard-output.ts";
import { processStderrLogger } from "./stderr-logger.ts";

/**
 * The logger itself; for "stderr" the one of the process; for a level a pino that writes to stdout: one JSON object per
 * line, or readable text if stdout is a terminal.
 *
 * @throws GenApiError `invalid_option` if pino is not installed or cannot be imported
 */
export async function loggerOf(given: "stderr" | LogLevel | Logger): Promise<Logger> {
  if (typeof given !== "string") return given;
  if (given === "stderr") return processStderrLogger();
  const { pino } = await importPino();
  const lines = standardLines("stdout");
  const destination = isTerminal("stdout")
    ? { write: (line: string) => lines.write(prettyLine(line, isColoured("stdout"))) }
    : lines;
  // By its type, a pino has any custom level as a method, including `then`.
  const logger: Logger = pino({ level: given }, destination);
  return logger;
}

async function importPino() {
  try {
    return await import("pino");
  } catch (thrown) {
    const cause = toError(thrown);
    const needed = "logger needs the package pino: run `npm install pino`, or pass a logger of your own";
    throw libraryError("invalid_option", `${needed} (${cause.message})`, { cause });
  }
}
