import { messageOf } from "../core/errors.ts";
import type { LogLevel } from "./log-lines.ts";
import type { TelemetryMessage } from "./telemetry.ts";

// Names and reasons come from clients too: none makes a line longer than somebody reads.
const maxTextLength = 500;
const maxStackLength = 8_000;
const maxListLength = 20;
const maxCauses = 3;

type LogValue = string | number | boolean | readonly string[];

/** An error as lines show it. */
interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
}

/** What a line says: the event, its measurements and metadata by their names, and `error`. */
export interface LogRecord {
  readonly event: string;
  readonly error?: LoggedError;
  readonly [field: string]: unknown;
}

/**
 * The record of an event. Numbers, flags, texts and lists of texts are in it; objects are not, as whatever clients,
 * functions and hosts put into them might be. Of an error nothing is but its type, message and (from level "error" on)
 * stack, and those of its causes.
 */
export function recordOf({ event, measurements, metadata }: TelemetryMessage, level: LogLevel): LogRecord {
  const record: Record<string, unknown> & { event: string } = { event };
  copyInto(record, metadata);
  copyInto(record, measurements);
  const { error = null } = metadata as { readonly error?: Error | null };
  if (error !== null) record.error = errorRecord(error, level === "error");
  return record;
}

function copyInto(record: Record<string, unknown>, half: object): void {
  for (const name of Object.keys(half)) {
    const value = loggable((half as Readonly<Record<string, unknown>>)[name]);
    if (value !== null) record[name] = value;
  }
}

function loggable(value: unknown): LogValue | null {
  switch (typeof value) {
    case "string":
      return cut(value, maxTextLength);
    case "number":
    case "boolean":
      return value;
    default:
      return Array.isArray(value)
        ? value
            .filter((item): item is string => typeof item === "string")
            .slice(0, maxListLength)
            .map((item) => cut(item, maxTextLength))
        : null;
  }
}

function errorRecord(error: Error, withStack: boolean): LoggedError {
  const record = { type: nameOf(error), message: cut(messageOf(error), maxTextLength) };
  return withStack ? { ...record, stack: cut(stackOf(error), maxStackLength) } : record;
}

/** The stacks of an error and of the errors that caused it. */
function stackOf(error: Error): string {
  const stacks: string[] = [];
  for (let at: unknown = error; at instanceof Error && stacks.length <= maxCauses; at = read(at, "cause")) {
    const stack = read(at, "stack");
    stacks.push(typeof stack === "string" ? stack : `${nameOf(at)}: ${messageOf(at)}`);
  }
  return stacks.join("\ncaused by: ");
}

function nameOf(error: Error): string {
  const name = read(error, "name");
  return typeof name === "string" ? cut(name, maxTextLength) : "Error";
}

/** A property of an error, whatever its author made of it. */
function read(error: Error, name: "name" | "stack" | "cause"): unknown {
  try {
    return error[name];
  } catch {
    return undefined;
  }
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}
