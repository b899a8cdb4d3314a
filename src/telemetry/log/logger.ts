import type { LogLevel } from "./log-lines.ts";

/**
 * Receives log lines: a pino instance, or any object with these four methods, such as `console`. If a method throws, or
 * returns a promise that rejects, its line is lost and nothing else happens.
 */
export interface Logger {
  /** The steps of each request. */
  debug(record: object, message: string): void;
  /** Rare changes, arrivals and departures, and failed requests. */
  info(record: object, message: string): void;
  /** Something was lost or held back that may have gone unnoticed. */
  warn(record: object, message: string): void;
  /** A bug in someone's code. */
  error(record: object, message: string): void;
  /** Called once for each level, when the log is opened. @default every level is enabled */
  isLevelEnabled?(level: LogLevel): boolean;
}

/**
 * Warnings and errors on stderr ("stderr"); no log (false); a log on stdout, by the package pino, from a given level
 * (true means "info"); or a logger of the host.
 */
export type LoggerOption = boolean | "stderr" | LogLevel | Logger;
