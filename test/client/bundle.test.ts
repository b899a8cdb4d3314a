import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { bundle } from "./bundle.ts";

const entry = join(new URL("../..", import.meta.url).pathname, "dist/client/client.js");

test("beside phoenix the client takes at most 5 KB, minified and gzipped", async () => {
  const code = await bundle(entry, ["phoenix"]);
  const bytes = gzipSync(code).byteLength;
  console.log(`${code.length} bytes, ${bytes} gzipped`);
  expect(code).toMatch(/from\s*"phoenix"/);
  expect(code).not.toContain("node:");
  expect(bytes).toBeLessThan(5 * 1024);
  // So that the bound means something.
  expect(bytes).toBeGreaterThan(2 * 1024);
});
