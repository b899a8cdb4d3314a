import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import { openPool, run, start, type TestCall } from "./open-pool.ts";

/** Runs `cancel` with the first event of this name. */
function uponFirst(event: string, cancel: () => void): void {
  const listen = (): void => {
    unsubscribe(`gen_api.worker_pool.${event}`, listen);
    cancel();
  };
  subscribe(`gen_api.worker_pool.${event}`, listen);
}

describe("calls that wait their turn are answered", () => {
  test.each(["broken", "exit", "exitLater"])(
    "when who is answered cancels a neighbour in its listener: %s",
    async (name) => {
      await using pool = openPool({ maxInFlight: 3 });
      const cancelNeighbours = (): void => {
        for (const neighbour of neighbours) neighbour.cancel("cancelled");
      };
      const neighbours: TestCall[] = [start(pool, "never")];
      const ends = start(pool, name, [1], { answered: cancelNeighbours });
      neighbours.push(start(pool, "never"));
      const waiting = Array.from({ length: 5 }, (_, i) => start(pool, "later", [i]));
      expect(pool.status().queued).toBe(5);
      expect(await ends.outcome).toMatchObject({ begun: true });
      for (const [i, call] of waiting.entries()) expect(await call.outcome).toMatchObject({ result: i });
      // The first neighbour may have been answered before it could be cancelled.
      expect(neighbours[1]?.answers).toBe(0);
      expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
    },
  );

  test.each([
    ["broken", "circuit_breaker.open"],
    ["broken", "task.exception"],
    ["exitLater", "thread.exit"],
    ["exit", "circuit_breaker.open"],
    ["exitLater", "task.exception"],
  ])("when %s ends and who hears of %s cancels it and its neighbours", async (name, event) => {
    await using pool = openPool({ maxInFlight: 3, circuitBreakerThreshold: 1 });
    const running: TestCall[] = [];
    // Before the calls: only what was listened for when they were taken is told of them.
    const cancelled = new Promise<void>((resolve) =>
      uponFirst(event, () => {
        for (const call of running) call.cancel("cancelled");
        resolve();
      }),
    );
    running.push(start(pool, "never"), start(pool, name), start(pool, "hold"));
    const waiting = Array.from({ length: 5 }, (_, i) => start(pool, "later", [i]));
    await cancelled;
    for (const [i, call] of waiting.entries()) expect(await call.outcome).toMatchObject({ result: i });
    expect(await run(pool, "echo", ["still here"])).toBe("still here");
    expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
    for (const call of running) expect(call.answers).toBeLessThanOrEqual(1);
  });
});
