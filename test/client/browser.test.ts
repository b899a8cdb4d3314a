import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Chromium, type Page } from "../support/processes/chromium.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { bundle } from "./bundle.ts";

const root = new URL("../..", import.meta.url).pathname;
let pages: Server;
let chromium: Chromium;
let gateway: GatewayProcess;

beforeAll(async () => {
  const code = await bundle(join(root, "test/fixtures/client/page.js"));
  pages = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? code : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  chromium = await Chromium.start();
}, 120_000);
afterAll(async () => {
  await chromium[Symbol.asyncDispose]();
  pages.close();
});

// Its pages come from another port.
const startGateway = (port = 0) => GatewayProcess.start({ port }, "client/gateway.js");
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const openPage = () => chromium.open(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/?port=${gateway.port}`);
const status = (page: Page) => page.evaluate<string>("client.status");
const chunks = (page: Page) => page.evaluate<number>("ticks.chunks.length");
const pending = "globalThis.pending = codeOf(client.call('test', 'wait')); 0";

describe("in a browser", () => {
  test("calls and streams work, in two tabs beside each other", async () => {
    const [one, other] = [await openPage(), await openPage()];
    await one.evaluate("runTicks(); 0");
    expect(await Promise.all([one.evaluate("add(1, 2)"), other.evaluate("add(3, 4)")])).toEqual([3, 7]);
    await expect.poll(() => chunks(one)).toBeGreaterThan(3);
    await one.close();
    expect(await other.evaluate("add(5, 6)")).toBe(11);
  });

  test("the gateway restarts in mid-stream and mid-call: both are told, and calls go on", async () => {
    const page = await openPage();
    await page.evaluate("runTicks(); 0");
    await page.evaluate(pending);
    await expect.poll(() => chunks(page)).toBeGreaterThan(3);
    await gateway.kill();
    expect(await page.evaluate("pending")).toBe("disconnected");
    // The stream waits for the next gateway, which does not know it.
    expect(await page.evaluate("ticks.end ?? null")).toBe(null);
    const waiting = page.evaluate("add(1, 2)");
    gateway = await startGateway(gateway.port);
    expect(await waiting).toBe(3);
    expect(await status(page)).toBe("open");
    await expect.poll(() => page.evaluate("ticks.end")).toBe("disconnected");
  });

  test("a loop that takes a chunk every 200 ms holds an endless function within its window", async () => {
    const page = await openPage();
    await page.evaluate("runSlowly(); 0");
    const ahead = async () => {
      const made = await page.evaluate<number>("client.call('test', 'made')");
      return made - (await page.evaluate<number>("slow.taken"));
    };
    await expect.poll(() => page.evaluate("slow.taken"), { timeout: 10_000 }).toBeGreaterThan(20);
    expect(await ahead()).toBeLessThanOrEqual(33);
    await page.evaluate("slow.isOver = true; 0");
  });

  test("a page that is frozen while its gateway dies settles what was pending when it goes on", async () => {
    const page = await openPage();
    expect(await page.evaluate("add(1, 2)")).toBe(3);
    await page.evaluate(pending);
    await page.command("Page.setWebLifecycleState", { state: "frozen" });
    await gateway.kill();
    gateway = await startGateway(gateway.port);
    await page.command("Page.setWebLifecycleState", { state: "active" });
    // As a tab in the background, where the official client does not connect again by itself.
    expect(await page.evaluate("document.visibilityState")).toBe("hidden");
    expect(await page.evaluate("pending")).toBe("disconnected");
    expect(await page.evaluate("add(1, 2)")).toBe(3);
  });

  test("a page that was away in the browser's history works when one comes back to it", async () => {
    const page = await openPage();
    expect(await page.evaluate("add(1, 2)")).toBe(3);
    await page.evaluate(pending);
    await page.goTo("about:blank");
    await page.back();
    // As Chromium likes: it kept the page, or loads it anew.
    expect(["disconnected", null]).toContain(await page.evaluate("globalThis.pending ?? null"));
    expect(await page.evaluate("add(1, 2)")).toBe(3);
  });

  test("offline, and online again: nothing is left pending", async () => {
    const page = await openPage();
    expect(await page.evaluate("add(1, 2)")).toBe(3);
    await page.evaluate(pending);
    await page.command("Network.enable");
    const conditions = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await page.command("Network.emulateNetworkConditions", { offline: true, ...conditions });
    await gateway.kill();
    expect(await page.evaluate("pending")).toBe("disconnected");
    gateway = await startGateway(gateway.port);
    const waiting = page.evaluate("add(2, 2)");
    await page.command("Network.emulateNetworkConditions", { offline: false, ...conditions });
    expect(await waiting).toBe(4);
  });
});
