import { libraryError, toError } from "../core/errors.ts";
import type { LogLevel } from "./log-lines.ts";
import { prettyLine } from "./pretty-line.ts";

/** Where lines go: a pino instance, or whatever has these four methods, such as `console`. */
export interface Logger {
  debug(record: object, message: string): void;
  info(record: object, message: string): void;
  warn(record: object, message: string): void;
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
  // A pino has, by its type, any custom level as a method, `then` among them.
  const logger: Logger = process.stdout.isTTY
    ? pino(
        { level: given },
        { write: (line: string) => process.stdout.write(prettyLine(line, process.stdout.hasColors())) },
      )
    : pino({ level: given });
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
