import type { Clock } from "../../core/time/clock.ts";
import { LogFlood } from "./log-flood.ts";
import type { LogLevel } from "./log-lines.ts";
import type { LogRecord } from "./log-record.ts";
import type { Logger } from "./logger.ts";
import { shownLine } from "./pretty-line.ts";
import { backgroundClock, isColoured, isTerminal, standardLines } from "./standard-output.ts";

/** The output of a {@link stderrLogger}. */
export interface LineSink {
  write(line: string): void;
}

/** The style of its lines. */
interface LineStyle {
  readonly isColoured: boolean;
  /** On a terminal the time of day is enough. */
  readonly isTerminal: boolean;
}

let shared: Logger | undefined;

/** Readable warnings and errors on stderr: the log of programs that name none. There is one for the process. */
export function processStderrLogger(): Logger {
  shared ??= openStderr();
  return shared;
}

function openStderr(): Logger {
  const style = { isColoured: isColoured("stderr"), isTerminal: isTerminal("stderr") };
  const lines = standardLines("stderr");
  const flood = new LogFlood(backgroundClock, (message, count) => {
    lines.write(leftOutLine(message, count, backgroundClock, style));
  });
  process.once("exit", flood.tell);
  return stderrLogger(lines, flood, backgroundClock, style);
}

/** Writes a line for each warning and error that `flood` lets through. */
export function stderrLogger(sink: LineSink, flood: LogFlood, clock: Clock, style: LineStyle): Logger {
  const write = (level: LogLevel) => (record: object, message: string) => {
    const { event: _, error, system_time: __, ...fields } = record as LogRecord;
    if (!flood.take(message, placeOf(fields))) return;
    const line = { time: timeOf(clock, style), level, message, fields, error };
    sink.write(shownLine(line, style.isColoured));
  };
  const leaveOut = () => undefined;
  return {
    debug: leaveOut,
    info: leaveOut,
    warn: write("warn"),
    error: write("error"),
    isLevelEnabled: (level) => level === "warn" || level === "error",
  };
}

/** The line that reports how many lines with that message are missing. */
export function leftOutLine(message: string, count: number, clock: Clock, style: LineStyle): string {
  const line = {
    time: timeOf(clock, style),
    level: "warn",
    message: `${message}: further lines were left out`,
  } as const;
  return shownLine({ ...line, fields: { count } }, style.isColoured);
}

/** Functions are few and named by the host, so counting by function keeps one that always fails from hiding another. */
function placeOf({ service, request_type, child }: Readonly<Record<string, unknown>>): string {
  return [service, request_type, child].filter((part) => typeof part === "string").join(".");
}

function timeOf(clock: Clock, { isTerminal }: LineStyle): string {
  const time = new Date(clock.systemTime()).toISOString();
  return isTerminal ? time.slice(11, 23) : time;
}
