import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ThreadInbox } from "../../src/worker/thread-inbox.ts";
import { until } from "../support/until.ts";
import { fixture, openPool, placeOf, run, start } from "./open-pool.ts";

function createFlag() {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  return { flag, set: () => until(() => Atomics.load(flag, 0) === 1) };
}

describe("while one thread computes", () => {
  test("quick calls, many at a time, are answered by the other", async () => {
    await using pool = openPool({ threads: 2 });
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    await Promise.all(Array.from({ length: 20 }, () => run(pool, "echo")));
    const { flag, set } = createFlag();
    const computes = start(pool, "holdFor", [1_500, flag]);
    await set();
    for (let round = 0; round < 10; round++) {
      const quick = await Promise.all(Array.from({ length: 6 }, (_, i) => run(pool, "echo", [i])));
      expect(quick).toEqual([0, 1, 2, 3, 4, 5]);
    }
    expect(computes.answers).toBe(0);
    expect(await computes.outcome).toMatchObject({ result: "held" });
  });

  test("what was sent to it in one message with the computation goes to the other", async () => {
    await using pool = openPool({ threads: 2 });
    await pool.verify(placeOf(fixture("functions.mjs"), "holdFor"));
    await Promise.all(Array.from({ length: 20 }, () => run(pool, "echo")));
    const computes = start(pool, "holdFor", [1_000]);
    const behind = Array.from({ length: 30 }, (_, i) => start(pool, "echo", [i]));
    for (const [i, call] of behind.entries()) expect(await call.outcome).toMatchObject({ result: i });
    expect(computes.answers).toBe(0);
    await computes.outcome;
  });
});

test("calls for which there are places are not refused while all threads compute, however short the queue", async () => {
  await using pool = openPool({ threads: 1, maxInFlight: 4, maxQueueSize: 0 });
  await run(pool, "echo");
  const { flag, set } = createFlag();
  const computes = start(pool, "holdFor", [300, flag]);
  await set();
  const behind = [1, 2, 3].map((i) => start(pool, "echo", [i]));
  // The thread takes nothing more: what was sent to it has come back.
  await until(() => pool.status().queued === 3);
  behind.pop()?.cancel("cancelled");
  behind.push(start(pool, "echo", [3]));
  expect(await start(pool, "echo").outcome).toMatchObject({ error: { code: "unavailable" }, begun: false });
  for (const [i, call] of behind.entries()) expect(await call.outcome).toMatchObject({ result: i + 1 });
  expect(computes.answers).toBe(1);
});

test("calls that wait while all threads compute are answered in their order when one is free, each once", async () => {
  await using pool = openPool({ threads: 1 });
  await run(pool, "echo");
  await run(pool, "holdFor", [1]);
  const order: unknown[] = [];
  const calls = Array.from({ length: 40 }, (_, i) =>
    start(pool, i % 10 === 0 ? "holdFor" : "echo", [i % 10 === 0 ? 30 : i], { answered: () => order.push(i) }),
  );
  await Promise.all(calls.map(({ outcome }) => outcome));
  expect(order).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect(pool.status()).toMatchObject({ inFlight: 0, queued: 0 });
});

test("calls that never answer do not keep those behind them from a thread that was slow before", async () => {
  await using pool = openPool({ threads: 1 });
  await run(pool, "holdFor", [1]);
  await run(pool, "echo");
  // From here on the thread gets one call at a time.
  await Promise.all([run(pool, "holdFor", [40]), ...Array.from({ length: 5 }, () => run(pool, "echo"))]);
  for (let i = 0; i < 20; i++) start(pool, "never");
  expect(await run(pool, "echo", ["behind"])).toBe("behind");
});

test("a call that is taken back from a thread is never called there, whatever the moment", async () => {
  await using pool = openPool({ threads: 2, maxInFlight: 200 });
  const counts = new Int32Array(new SharedArrayBuffer(4 * 2_000));
  await pool.verify(placeOf(fixture("functions.mjs"), "countAt"));
  const calls = Array.from({ length: 2_000 }, (_, i) =>
    i % 40 === 7 ? start(pool, "holdFor", [7]) : start(pool, "countAt", [counts, i]),
  );
  const cancelled = new Set<number>();
  for (const [i, call] of calls.entries()) {
    if (i % 5 !== 0) continue;
    if (i % 100 === 0) await new Promise(setImmediate);
    if (call.answers === 0) cancelled.add(i);
    call.cancel("cancelled");
  }
  await Promise.all(calls.filter((_, i) => !cancelled.has(i)).map(({ outcome }) => outcome));
  await run(pool, "later");
  expect(Math.max(...counts)).toBe(1);
  for (const [i, call] of calls.entries()) {
    expect(call.answers).toBe(cancelled.has(i) ? 0 : 1);
    if (!cancelled.has(i) && i % 40 !== 7) expect(counts[i]).toBe(1);
  }
  await until(() => pool.status().inFlight === 0);
});

describe("the inbox of a thread", () => {
  const item = () => ({ before: null, after: null, sentAtLook: 0 });
  type Item = ReturnType<typeof item>;

  test("holds no more than the thread begins between two looks, once something was late, and at least one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }), (rates) => {
        const inbox = new ThreadInbox<Item>();
        let held: Item[] = [];
        for (const [look, rate] of rates.entries()) {
          for (let i = 0; i < 1_000 && !inbox.isFull; i++) {
            const sent = item();
            inbox.push(sent);
            held.push(sent);
          }
          if (inbox.isFull) inbox.refuse();
          expect(held.length).toBeGreaterThanOrEqual(1);
          expect(held.length).toBeLessThanOrEqual(512);
          const begun = Math.min(rate, held.length);
          for (const done of held.splice(0, begun)) inbox.remove(done);
          const oldest = held[0] ?? null;
          const back = inbox.look(begun);
          if (begun === 0 && oldest !== null && oldest.sentAtLook < look) expect(back).toBe(held.length);
          for (let i = 0; i < back; i++) inbox.remove(held.pop() as Item);
          held = [...held];
        }
      }),
    );
  });

  test("has room for one more when everything was late, and soon for many when nothing is", () => {
    const inbox = new ThreadInbox<Item>();
    const slow = item();
    inbox.push(slow);
    expect(inbox.look(0)).toBe(0);
    expect(inbox.look(0)).toBe(1);
    inbox.remove(slow);
    const sizes: number[] = [];
    for (let look = 0; look < 11; look++) {
      const sent: Item[] = [];
      while (!inbox.isFull) {
        sent.push(item());
        inbox.push(sent.at(-1) as Item);
      }
      inbox.refuse();
      sizes.push(sent.length);
      for (const done of sent) inbox.remove(done);
      inbox.look(sent.length);
    }
    expect(sizes).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
  });
});
