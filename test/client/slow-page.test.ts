import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGenApi, startServiceNode } from "gen-api";
import { link } from "gen-api/link";
import { afterAll, beforeAll, expect, test } from "vitest";
import million from "../fixtures/client/million.js";
import { collectGarbage } from "../support/heap.ts";
import type { Page } from "../support/processes/chromium.ts";
import { PageServer } from "./page-server.ts";

const folder = mkdtempSync(join(tmpdir(), "million-"));
let pages: PageServer;
beforeAll(async () => {
  pages = await PageServer.start();
}, 120_000);
afterAll(async () => {
  await pages[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const base = {
  logger: false as const,
  listen: { host: "127.0.0.1", port: 0 },
  socket: { allowedOrigins: "any" as const },
  channels: [{ topic: "api:*", event: "api" }],
  workerPool: { threads: 1 },
};

/** A gateway, whose memory is this process's, with the producer on a thread of its own or on a service node. */
async function startGateway(where: "thread" | "node") {
  if (where === "thread") {
    const gateway = await startGenApi({ ...base, functions: [million] });
    return { port: gateway.address?.port as number, stop: () => gateway.stop() };
  }
  const gateway = await startGenApi({ ...base, cluster: link() });
  const port = gateway.address?.port as number;
  const node = await startServiceNode({
    logger: false,
    name: "million@127.0.0.1",
    functions: [million],
    workerPool: { threads: 1 },
    cluster: link({ gateways: [`ws://127.0.0.1:${port}/node`] }),
  });
  await node.connected();
  return { port, stop: () => Promise.all([node.stop(), gateway.stop()]) };
}

async function heapOf(page: Page): Promise<number> {
  await page.command("HeapProfiler.collectGarbage");
  const { usedSize } = (await page.command("Runtime.getHeapUsage")) as { usedSize: number };
  return usedSize;
}

function ownMemory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const window = 32;

// A chunk every 10 ms stands for one a second: what must not grow grows with the chunks, and not with the time.
test.each(["thread", "node"] as const)(
  "a loop in a page that takes a chunk at a time holds a producer of a million on a %s within its window, and no memory grows",
  async (where) => {
    const file = join(folder, where);
    const { port, stop } = await startGateway(where);
    try {
      const page = await pages.open(port);
      await page.evaluate(`runSlowly("million", "chunks", { file: ${JSON.stringify(file)} }, 10); 0`);
      const taken = () => page.evaluate<number>("slow.taken");
      const mostAhead = async (until: number) => {
        let most = 0;
        for (;;) {
          // In this order the loop can only have caught up since.
          const made = Number(readFileSync(file, "utf8"));
          const now = await taken();
          most = Math.max(most, made - now);
          if (now >= until) return most;
        }
      };
      await expect.poll(taken, { timeout: 30_000 }).toBeGreaterThan(100);
      const before = { page: await heapOf(page), gateway: ownMemory() };
      const from = await taken();
      const ahead = await mostAhead(from + 300);
      console.log(`${where}: at most ${ahead} chunks ahead`);
      // It is held by its window, and not by being slow.
      expect(ahead).toBeGreaterThan(window / 4);
      expect(ahead).toBeLessThanOrEqual(window);
      // The chunks that were taken meanwhile have six million bytes. What waits for its collection goes, while the loop
      // goes on; what somebody holds would only become more.
      await expect.poll(async () => (await heapOf(page)) - before.page).toBeLessThan(2_000_000);
      await expect.poll(() => ownMemory() - before.gateway).toBeLessThan(2_000_000);
      await page.evaluate("slow.isOver = true; 0");
      await page.close();
    } finally {
      await stop();
    }
  },
  120_000,
);
