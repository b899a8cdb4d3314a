// @ts-check
// What `npm start` runs first: src/ without its types, in dist/, within a second. It checks nothing and writes no
// declarations; `npm run build` does both.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { transformWithOxc } from "vite";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => /\.c?ts$/.test(file));
// As tsconfig.json has it; the rest of it is about what is checked.
const typescript = /** @type {const} */ ({ onlyRemoveTypeImports: true, rewriteImportExtensions: "rewrite" });
for (const file of files) {
  const { code } = await transformWithOxc(readFileSync(`src/${file}`, "utf8"), file, {
    target: "es2023",
    sourcemap: false,
    typescript,
  });
  const output = `dist/${file.replace(/ts$/, "js")}`;
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, code);
}
