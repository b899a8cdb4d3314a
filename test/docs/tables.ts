import { readFileSync } from "node:fs";

/** A page of the documents. */
export function readPage(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
}

/**
 * The rows under a heading whose first cell is a name: by that name, the text of their cells without backticks. Empty
 * where there is no such heading.
 */
export function rowsUnder(page: string, heading: string): Map<string, string[]> {
  const start = page.search(new RegExp(`^#+ ${heading}$`, "m"));
  const [, section = ""] = start === -1 ? [] : page.slice(start).split(/^#+ .*$/m);
  const rows = Array.from(section.matchAll(/^\| (`.*) \|$/gm), ([, row = ""]) =>
    row.split(/ ?\| /).map((cell) => cell.replaceAll("`", "").trim()),
  );
  return new Map(rows.map(([name = "", ...cells]) => [name, cells]));
}

/** The second cell of each row under a heading. */
export function defaultsUnder(page: string, heading: string): Record<string, string | undefined> {
  return Object.fromEntries(Array.from(rowsUnder(page, heading), ([name, [value]]) => [name, value]));
}
