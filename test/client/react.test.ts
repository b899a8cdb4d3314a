import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import service from "../fixtures/client/service.js";
import { startTestGateway } from "../support/gateway.ts";
import { PageServer } from "./page-server.ts";

// The hooks that docs/client.md shows, in a page of real React.
const root = new URL("../..", import.meta.url).pathname;
let folder: string;
let pages: PageServer;
beforeAll(async () => {
  folder = mkdtempSync(join(root, ".readme-"));
  const page = readFileSync(join(root, "docs/client.md"), "utf8");
  const [, hooks = ""] = /```tsx\n\/\/ hooks\.ts\n([\s\S]*?)```/.exec(page) ?? [];
  writeFileSync(join(folder, "hooks.ts"), hooks);
  copyFileSync(join(root, "test/fixtures/client/react-page.js"), join(folder, "page.js"));
  pages = await PageServer.start(join(folder, "page.js"));
}, 120_000);
afterAll(async () => {
  await pages[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("the hooks compile, strictly", () => {
  const compilerOptions = { noEmit: true, rootDir: "..", lib: ["es2023", "dom"], types: [] };
  const config = { extends: "../tsconfig.json", compilerOptions, files: ["hooks.ts"], include: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { stdio: "inherit" });
}, 120_000);

test("a page of React shows the status, results, failures and chunks, and what it no longer shows is cancelled", async () => {
  const gateway = await startTestGateway({ functions: [service], socket: { allowedOrigins: "any" } });
  const page = await pages.open(gateway.address?.port as number);
  const shows = (id: string) => expect.poll(() => page.evaluate(`document.getElementById("${id}")?.textContent`));
  await shows("status").toBe("open");
  await shows("sum").toBe("2");
  await shows("count").toBe("1 2 3 over");
  await shows("half").toBe("1 broken over");
  await shows("quiet").toBe("hello");
  const { requests } = gateway.diagnostics.statistics();
  expect(requests.inFlight).toBe(1);
  await page.evaluate("setA(5); 0");
  await shows("sum").toBe("6");
  await page.evaluate('setA("five"); 0');
  await shows("sum").toBe("invalid_argument");
  await page.evaluate("setIsShown(false); 0");
  await expect.poll(() => gateway.diagnostics.statistics().requests.inFlight).toBe(0);
  await gateway.stop();
  await shows("status").toBe("connecting");
}, 120_000);
