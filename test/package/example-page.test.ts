import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Chromium, type Page } from "../support/processes/chromium.ts";
import { StartedProgram } from "../support/processes/started-program.ts";

// The page that `npm start` serves, in a real browser.
const program = fileURLToPath(new URL("../../docs/examples/gateway.js", import.meta.url));

let chromium: Chromium;
beforeAll(async () => {
  chromium = await Chromium.start();
});
afterAll(() => chromium[Symbol.asyncDispose]());

async function startExample(port = "0"): Promise<{ gateway: StartedProgram; port: string }> {
  const env = { ...process.env, PORT: port, GEN_API_ADMIN: "127.0.0.1:0" };
  const gateway = new StartedProgram(process.execPath, [program], { env });
  const [, listens = ""] = await gateway.wrote(/page {7}http:\/\/127\.0\.0\.1:(\d+)\//);
  return { gateway, port: listens };
}

const textOf = (page: Page) => page.evaluate<string>("document.getElementById('text').textContent");
const stateOf = (page: Page) => page.evaluate<string>("document.getElementById('state').textContent");
const click = (page: Page, id: string) => page.evaluate(`document.getElementById("${id}").click()`);
const words = async (page: Page) => (await textOf(page)).split(" ").length;

test("text appears as it is written, goes on after the gateway was started anew, and stops at a click", async () => {
  const { gateway, port } = await startExample();
  const page = await chromium.open(`http://127.0.0.1:${port}/`);
  await click(page, "write");
  await expect.poll(() => words(page)).toBeGreaterThan(5);
  process.kill(gateway.pid, "SIGKILL");
  await gateway.ended();
  await expect.poll(() => stateOf(page)).toMatch(/^No connection/);
  const before = await textOf(page);
  const next = await startExample(port);
  await expect.poll(() => words(page)).toBeGreaterThan(before.split(" ").length + 5);
  const text = await textOf(page);
  // No word is lost, and none comes twice.
  expect(text.startsWith(before)).toBe(true);
  const beginning = "Once upon a time there was a gateway that knew nothing of supervisors. It asked a worker thread,";
  expect(beginning.slice(0, text.length)).toBe(text.slice(0, beginning.length));
  if (process.env.SCREENSHOT !== undefined) await page.screenshot(process.env.SCREENSHOT);

  await click(page, "stop");
  await expect.poll(() => stateOf(page)).toBe("Stopped.");
  const stopped = await textOf(page);
  await click(page, "write");
  await expect.poll(() => words(page)).toBeGreaterThan(1);
  expect(stopped.length).toBeGreaterThan((await textOf(page)).length);
  process.kill(next.gateway.pid, "SIGTERM");
  expect(await next.gateway.ended()).toBe(0);
  expect(next.gateway.errors).toBe("");
});
