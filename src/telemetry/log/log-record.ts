import { isError, messageOf, toError } from "../../core/errors.ts";
import { hearPromises } from "../../core/foreign/hear-promises.ts";
import type { TelemetryMessage } from "../telemetry.ts";
import type { LogLevel } from "./log-lines.ts";

// Names and reasons may come from clients: they must not make a line unreadably long.
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

/** The content of a line: the event, its measurements and metadata by name, and `error`. */
export interface LogRecord {
  readonly event: string;
  readonly error?: LoggedError;
  readonly [field: string]: unknown;
}

/**
 * The record of an event. It contains numbers, flags, texts and lists of texts; no objects, which could contain
 * anything from clients, functions or hosts. Of an error, and its causes, it contains only type, message and (from
 * level "error" on) stack.
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
  const record = { type: errorTypeOf(error), message: cut(messageOf(error), maxTextLength) };
  return withStack ? { ...record, stack: cut(stackOf(error), maxStackLength) } : record;
}

/** The stacks of an error and of its causes. */
function stackOf(error: Error): string {
  const stacks: string[] = [];
  let at: unknown = error;
  while (isError(at) && stacks.length <= maxCauses) {
    const { stack, name, message } = toError(at);
    stacks.push(stack ?? `${name}: ${message}`);
    at = read(at, "cause");
  }
  return stacks.join("\ncaused by: ");
}

function errorTypeOf(error: Error): string {
  const name = read(error, "name");
  return typeof name === "string" ? cut(name, maxTextLength) : "Error";
}

/** A property of an error, however its author defined it. */
function read(error: Error, name: "name" | "stack" | "cause"): unknown {
  try {
    const value: unknown = error[name];
    // A getter may have created it.
    hearPromises(value);
    return value;
  } catch {
    return undefined;
  }
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}
