import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

// As a host has it: the code and the declarations in dist.
const root = new URL("../..", import.meta.url).pathname;
const importing = /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** Every file that `entry` imports, itself included, and every package. */
function graphOf(entry: string): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const extension = entry.endsWith(".d.ts") ? ".d.ts" : ".js";
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const [, from, called] of readFileSync(file, "utf8").matchAll(importing)) {
      const target = (from ?? called) as string;
      if (!target.startsWith(".")) packages.add(target);
      else files.add(join(dirname(file), target.replace(/\.[jt]s$/, extension)));
    }
  }
  return { files, packages };
}

test("gen-api/otp imports XState and what is Node's, and of the package few small modules", () => {
  const { files, packages } = graphOf(join(root, "dist/otp.js"));
  const builtIn = [...packages].filter((name) => name.startsWith("node:"));
  expect([...packages].sort()).toEqual([...builtIn, "xstate"].sort());
  const folders = new Set([...files].map((file) => relative(join(root, "dist"), file).split("/")[0]));
  expect([...folders].sort()).toEqual(["actor", "core", "otp", "otp.js", "telemetry"]);
  const bytes = [...files].reduce((sum, file) => sum + readFileSync(file).length, 0);
  expect(bytes).toBeLessThan(200_000);
});

test("its types are its own: no declaration that it reaches imports XState's, or any other package's", () => {
  const { files, packages } = graphOf(join(root, "dist/otp.d.ts"));
  expect(files.size).toBeGreaterThan(15);
  expect([...packages]).toEqual([]);
});

test("the graph that is looked at is the whole one", () => {
  // The gateway's own entry reaches what is too much for gen-api/otp, so a graph that misses imports would be seen.
  const { packages } = graphOf(join(root, "dist/runtime/gateway/gateway.js"));
  expect([...packages]).toEqual(expect.arrayContaining(["ws", "zod", "piscina"]));
  expect(createRequire(join(root, "package.json")).resolve("gen-api/otp")).toBe(join(root, "dist/otp.js"));
});
