import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readPage } from "../docs/tables.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("no folder has more than 20 files at one level", () => {
  const sizes = ["src", "test", "bench"].flatMap((name) => [...filesByFolder(name)]);
  expect(sizes.filter(([, files]) => files > 20)).toEqual([]);
});

test("docs/architecture.md names every folder of src in its layer, and every room in the row of its folder", () => {
  const rows = readPage("docs/architecture.md").match(/^\| \d+ \|.*$/gm) ?? [];
  const unnamed = [...filesByFolder("src").keys()].filter((path) => {
    const [, folder, room] = path.split("/");
    if (folder === undefined || folder === "cli" || folder === "client") return false;
    const row = rows.find((line) => line.split("|")[2]?.includes(`\`${folder}\``));
    return row === undefined || (room !== undefined && !row.includes(`\`${room}\``));
  });
  expect(unnamed).toEqual([]);
});

/** How many files lie in each folder below `name`, by its path from the root. */
function filesByFolder(name: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of readdirSync(join(root, name), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.includes("node_modules")) continue;
    const folder = relative(root, entry.parentPath);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return counts;
}
