import { readFileSync } from "node:fs";

/** The files that a page of the documents shows in JavaScript, each named by its first line, with their text. */
export function pageFiles(name: string): Map<string, string> {
  const text = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const blocks = text.matchAll(/```js\n\/\/ (\S+\.js)\n([\s\S]*?)```/g);
  return new Map(Array.from(blocks, ([, file = "", code = ""]) => [file, code]));
}
