import type { LogLevel } from "./log-lines.ts";

const colours = { debug: "90", info: "32", warn: "33", error: "31", field: "90" } as const;
const levels: Readonly<Record<number, LogLevel>> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

/** The content of one line. */
interface ShownLine {
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: ShownError | undefined;
}

interface ShownError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
}

/** A readable line with its end: `12:00:01.250 INFO  Node connected  node=users@10.0.0.7`. */
export function shownLine({ time, level, message, fields, error }: ShownLine, isColoured: boolean): string {
  const paint = (colour: keyof typeof colours, text: string) =>
    isColoured ? `\u001B[${colours[colour]}m${text}\u001B[0m` : text;
  const title = `${time} ${paint(level, level.toUpperCase().padEnd(5))} ${message}`;
  const pairs = Object.entries(fields).map(([name, value]) => `  ${paint("field", `${name}=`)}${shown(value)}`);
  return `${title}${pairs.join("")}${error === undefined ? "" : below(error)}\n`;
}

/** A line of pino's in the format of {@link shownLine}. */
export function prettyLine(json: string, isColoured: boolean): string {
  // The message replaces the event, and the time replaces system_time.
  const { level, time, msg, pid: _, hostname: __, event: ___, system_time: ____, error, ...fields } = JSON.parse(json);
  const timeOfDay = new Date(time).toISOString().slice(11, 23);
  return shownLine({ time: timeOfDay, level: levels[level] ?? "info", message: msg, fields, error }, isColoured);
}

function below({ type, message, stack }: ShownError): string {
  return `\n${harmless(stack ?? `${type}: ${message}`)}`.replaceAll("\n", "\n    ");
}

function shown(value: unknown): string {
  if (typeof value === "string" && /^[\w./:@-]+$/.test(value)) return value;
  return harmless(JSON.stringify(value));
}

/** Text from clients must not control the terminal. */
function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "·");
}
