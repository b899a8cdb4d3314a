import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

/** Counts the timers that are set. */
class CountingClock extends SimulatedClock {
  set = 0;

  override setTimeout(run: () => void, ms: number): unknown {
    this.set++;
    return super.setTimeout(run, ms);
  }
}

test("a gateway that nobody calls sets at most two timers a second", async () => {
  const clock = new CountingClock();
  await using gateway = await startTestGateway({
    clock,
    admin: { listen: "127.0.0.1:0", token: "a-token-for-tests-only" },
  });
  await clock.advanceAsync(5_000);
  clock.set = 0;
  await clock.advanceAsync(60_000);
  expect(clock.set).toBeLessThanOrEqual(130);
  // The clock does move what the gateway does.
  expect(clock.set).toBeGreaterThan(0);
  expect(gateway.diagnostics.statistics().uptimeMs).toBe(65_000);
});

// Timers that are not the clock's, such as those of a histogram or of a library, make it turn too.
test("the event loop of a gateway that nobody calls turns at most 25 times a second", async () => {
  const fixture = fileURLToPath(new URL("../fixtures/idle-gateway.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
  const { turns, seconds } = JSON.parse(stdout) as { turns: number; seconds: number };
  expect(turns).toBeGreaterThan(0);
  expect(turns).toBeLessThanOrEqual(25 * seconds);
});
