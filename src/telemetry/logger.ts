import { write, writeSync } from "node:fs";
import { type Clock, systemClock } from "../core/clock.ts";
import { libraryError, toError } from "../core/errors.ts";
import { type LineOutput, LineWriter } from "./line-writer.ts";
import type { LogLevel } from "./log-lines.ts";
import { prettyLine } from "./pretty-line.ts";

/**
 * Where lines go: a pino instance, or whatever has these four methods, such as `console`. A line is lost when its method
 * throws, or returns a promise that rejects; nothing else happens.
 */
export interface Logger {
  /** What happens for each request. */
  debug(record: object, message: string): void;
  /** What changes rarely, who comes and goes, and requests that fail. */
  info(record: object, message: string): void;
  /** Something is lost or held back, and nobody may have noticed. */
  warn(record: object, message: string): void;
  /** A fault in somebody's code. */
  error(record: object, message: string): void;
  /** Asked once, when the log is opened. @default every level is */
  isLevelEnabled?(level: LogLevel): boolean;
}

/** No log (false); one on stdout, by the package pino, from a level on (true is "info"); or a logger of the host's. */
export type LoggerOption = boolean | LogLevel | Logger;

/**
 * The logger itself, or for a level a pino that writes to stdout: JSON, one object a line, and for people where stdout
 * is a terminal.
 *
 * @throws GenApiError `invalid_option` where pino is not installed or cannot be imported
 */
export async function loggerOf(given: LogLevel | Logger): Promise<Logger> {
  if (typeof given !== "string") return given;
  const { pino } = await importPino();
  const lines = stdoutLines();
  const destination = process.stdout.isTTY
    ? { write: (line: string) => lines.write(prettyLine(line, process.stdout.hasColors())) }
    : lines;
  // A pino has, by its type, any custom level as a method, `then` among them.
  const logger: Logger = pino({ level: given }, destination);
  return logger;
}

let stdout: LineWriter | undefined;

/**
 * Stdout, for all logs of the process. It is neither pino's own destination, which does not survive a full disk and then
 * does not let the process end, nor `process.stdout`, whose errors are the host's to hear.
 */
function stdoutLines(): LineWriter {
  if (stdout !== undefined) return stdout;
  const lines = new LineWriter(stdoutOutput, backgroundClock);
  process.once("exit", () => lines.flushSync());
  stdout = lines;
  return lines;
}

const stdoutOutput: LineOutput = {
  write: (bytes, done) => write(1, bytes, done),
  writeSync: (bytes) => writeSync(1, bytes),
};

/** Its timers keep no process alive. */
const backgroundClock: Clock = { ...systemClock, setTimeout: (run, ms) => setTimeout(run, ms).unref() };

async function importPino() {
  try {
    return await import("pino");
  } catch (thrown) {
    const cause = toError(thrown);
    const needed = "logger needs the package pino: run `npm install pino`, or pass a logger of your own";
    throw libraryError("invalid_option", `${needed} (${cause.message})`, { cause });
  }
}
