import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LossyNetwork } from "../support/network/lossy-network.ts";
import type { Page } from "../support/processes/chromium.ts";
import { GatewayProcess } from "../support/processes/gateway-process.ts";
import { PageServer } from "./page-server.ts";

let pages: PageServer;
let gateway: GatewayProcess;

beforeAll(async () => {
  pages = await PageServer.start();
});
afterAll(() => pages[Symbol.asyncDispose]());

// Its pages come from another port.
const startGateway = (port = 0) => GatewayProcess.start({ port }, "client/gateway.js");
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const openPage = () => pages.open(gateway.port);
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

  test("offline, and online again: nothing is left pending, what is called meanwhile waits, and a stream goes on", async () => {
    await using network = await LossyNetwork.open(gateway.port);
    const page = await pages.open(network.port);
    await page.evaluate("runTicks(); 0");
    await expect.poll(() => chunks(page)).toBeGreaterThan(3);
    await page.evaluate(pending);
    await page.command("Network.enable");
    const conditions = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await page.command("Network.emulateNetworkConditions", { offline: true, ...conditions });
    expect(await page.evaluate("navigator.onLine")).toBe(false);
    // The browser's emulation leaves sockets open: nobody tells the page that its own is dead.
    network.lose("in");
    expect(await page.evaluate("pending")).toBe("disconnected");
    const waiting = page.evaluate("add(2, 2)");
    const before = await chunks(page);
    network.heal();
    await page.command("Network.emulateNetworkConditions", { offline: false, ...conditions });
    expect(await waiting).toBe(4);
    await expect.poll(() => chunks(page)).toBeGreaterThan(before + 20);
    const ticks = await page.evaluate<number[]>("ticks.chunks");
    expect(ticks).toEqual(ticks.map((_, n) => n + 1));
  });
});
