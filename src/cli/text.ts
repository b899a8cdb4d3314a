import { stripVTControlCharacters, styleText } from "node:util";

/** The colours for texts, if their stream supports any. */
type Colour = "green" | "yellow" | "red" | "cyan" | "dim" | "bold";

/** Colours a text for stdout, unless that is not a terminal, or `NO_COLOR` is set. */
export function paint(colour: Colour, text: string): string {
  return styleText(colour, text);
}

/** Text from a gateway may contain foreign text: control characters must not reach the terminal. */
export function plain(value: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** A value as JSON, without control characters as well. */
export function jsonText(value: unknown): string {
  return plainJson(JSON.stringify(value, null, 2));
}

/** As {@link jsonText}, in one line. */
export function jsonLine(value: unknown): string {
  return plainJson(JSON.stringify(value));
}

function plainJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A column's title and alignment. */
export interface Column {
  readonly title: string;
  readonly isRight?: boolean;
}

/** Rows in aligned columns below their titles. The last column is not padded. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((widest, row) => Math.max(widest, width(row[index] ?? "")), title.length),
  );
  const line = (texts: readonly string[]) =>
    columns
      .map(({ isRight = false }, index) => {
        const text = texts[index] ?? "";
        const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - width(text)));
        if (isRight) return space + text;
        return index === columns.length - 1 ? text : text + space;
      })
      .join("  ")
      .trimEnd();
  return [line(columns.map(({ title }) => paint("dim", title))), ...rows.map(line)].join("\n");
}

/** The width of a text in places; wide characters count as one. */
function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** 1234567 as 1 234 567. */
export function number(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Bytes as MiB or GiB. */
export function bytes(value: number): string {
  const mib = value / 2 ** 20;
  return mib < 1_024 ? `${mib.toFixed(0)} MiB` : `${(mib / 1_024).toFixed(1)} GiB`;
}

/** A span of time in its two largest units: `3 d 4 h`, `250 ms`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** A state in its colour. */
export function state(word: string): string {
  const text = plain(word);
  if (["running", "up", "ok", "passes", "would_run", "enabled"].includes(word)) return paint("green", text);
  if (["restarting", "leaving", "draining", "degraded", "unknown"].includes(word)) return paint("yellow", text);
  return paint("red", text);
}
