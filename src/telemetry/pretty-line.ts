const colours = { debug: "90", info: "32", warn: "33", error: "31", field: "90" } as const;
const levels: Readonly<Record<number, keyof typeof colours>> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

/** A line of pino's as a person reads it in a terminal: `12:00:01.250 INFO  Node connected  node=users@10.0.0.7`. */
export function prettyLine(json: string, isColoured: boolean): string {
  // The message stands for the event, and the time for system_time.
  const { level, time, msg, pid: _, hostname: __, event: ___, system_time: ____, error, ...fields } = JSON.parse(json);
  const paint = (colour: keyof typeof colours, text: string) =>
    isColoured ? `\u001B[${colours[colour]}m${text}\u001B[0m` : text;
  const label = levels[level] ?? "info";
  const title = `${new Date(time).toISOString().slice(11, 23)} ${paint(label, label.toUpperCase().padEnd(5))} ${msg}`;
  const pairs = Object.entries(fields).map(([name, value]) => `  ${paint("field", `${name}=`)}${shown(value)}`);
  return `${title}${pairs.join("")}${error === undefined ? "" : below(error)}\n`;
}

function below({ type, message, stack }: { readonly type: string; readonly message: string; readonly stack?: string }) {
  return `\n${harmless(stack ?? `${type}: ${message}`)}`.replaceAll("\n", "\n    ");
}

function shown(value: unknown): string {
  if (typeof value === "string" && /^[\w./:@-]+$/.test(value)) return value;
  return harmless(JSON.stringify(value));
}

/** What clients send must not steer the terminal. */
function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "·");
}
