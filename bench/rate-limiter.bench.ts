// The rate limiter beside rate-limiter-flexible's memory store and the plain log that filters an array at each check:
// checks per second by keys and maxRequests; memory for each key and recorded request; the longest slice of a sweep.
// Every row has a process of its own, in which the variants take turns.
import { spawnSync } from "node:child_process";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { type Clock, systemClock } from "../dist/core/time/clock.js";
import { RateLimiter } from "../dist/policy/rate-limiter/rate-limiter.js";

const rounds = 9;
const batchesPerRound = 200;
const checksAtATime = 500;
const windowMs = 3_600_000;
const mostRecords = 10_000_000;
const allKeys = [1, 100_000, 1_000_000];
const allMaxRequests = [10, 1_000, 100_000];

/** Checks these keys; tells how many were let in. */
type Check = (keys: readonly string[]) => number | Promise<number>;

/** 16 characters; a text of its own at each call, as a decoded request has. */
function keyOf(key: number): string {
  return Buffer.from(`user-${String(key).padStart(11, "0")}`).toString("latin1");
}

/** The windows are as full as `mostRecords` in all allow. */
function recordsOf(keys: number, maxRequests: number): number {
  return Math.min(maxRequests, mostRecords / keys);
}

/** Made before they are checked, and outside of the time: a request's user id was decoded, or used, just before. */
function randomKeys(keys: number): string[] {
  return Array.from({ length: checksAtATime }, () => keyOf(Math.floor(Math.random() * keys)));
}

function ours(keys: number, maxRequests: number): Check {
  const globalLimits = [{ key: "userId", maxRequests, windowMs }];
  const limiter = new RateLimiter("bench", systemClock, { globalLimits });
  const request = { service: "s", requestType: "t", args: {}, userId: "", deviceId: null, ipAddress: null };
  for (let record = 0; record < recordsOf(keys, maxRequests); record++) {
    for (let key = 0; key < keys; key++) limiter.check(keyOf(key), "global", "userId");
  }
  return (keys) => {
    let allowed = 0;
    for (const key of keys) {
      request.userId = key;
      if (limiter.check(request).allowed) allowed++;
    }
    return allowed;
  };
}

async function flexible(keys: number, maxRequests: number): Promise<Check> {
  const limiter = new RateLimiterMemory({ points: maxRequests, duration: windowMs / 1000 });
  for (let key = 0; key < keys; key++) await limiter.set(keyOf(key), recordsOf(keys, maxRequests), windowMs / 1000);
  return async (keys) => {
    let allowed = 0;
    for (const key of keys) {
      try {
        await limiter.consume(key);
        allowed++;
      } catch (refused) {
        if (refused instanceof Error) throw refused;
      }
    }
    return allowed;
  };
}

function arrayLog(keys: number, maxRequests: number): Check {
  const start = performance.now();
  const filled = () => Array.from({ length: recordsOf(keys, maxRequests) }, () => start);
  const log = new Map(Array.from({ length: keys }, (_, key) => [keyOf(key), filled()]));
  return (keys) => {
    let allowed = 0;
    for (const key of keys) {
      const now = performance.now();
      const live = (log.get(key) ?? []).filter((time) => time > now - windowMs);
      log.set(key, live);
      if (live.length >= maxRequests) continue;
      live.push(now);
      allowed++;
    }
    return allowed;
  };
}

async function speed(keys: number, maxRequests: number): Promise<void> {
  const variants = [ours(keys, maxRequests), await flexible(keys, maxRequests), arrayLog(keys, maxRequests)];
  const perSecond: number[][] = variants.map(() => []);
  let allowed = 0;
  let checked = 0;
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [place, check] of variants.entries()) {
      // The array log takes a tenth of a millisecond for a check of 100 000 records.
      const batches = place === 2 && recordsOf(keys, maxRequests) > 10_000 ? 1 : batchesPerRound;
      for (let batch = 0; batch < batches; batch++) {
        const batchKeys = randomKeys(keys);
        const from = performance.now();
        const letIn = await check(batchKeys);
        const ms = performance.now() - from;
        if (round > 0) perSecond[place]?.push((checksAtATime * 1000) / ms);
        if (place !== 0) continue;
        allowed += letIn;
        checked += checksAtATime;
      }
    }
  }
  const [own = 0, other = 0, log = 0] = perSecond.map(median);
  const letIn = `${((allowed / checked) * 100).toFixed(0)} %`;
  print(keys, maxRequests, thousands(own), thousands(other), thousands(log), `${(own / other).toFixed(1)} ×`, letIn);
}

/** Requests come evenly over the window and to a nanosecond: as far apart, and so as long to store, as may be. */
function memory(keys: number, records: number): void {
  let now = 1e6;
  const clock: Clock = { ...systemClock, now: () => now };
  const limiter = new RateLimiter("bench", clock, {
    globalLimits: [{ key: "userId", maxRequests: mostRecords, windowMs: 60_000 }],
  });
  const before = heldBytes();
  const gapMs = 59_000 / (keys * records);
  for (let record = 0; record < records; record++) {
    for (let key = 0; key < keys; key++) {
      now = Math.round((now + gapMs) * 1e6) / 1e6;
      limiter.check(keyOf(key), "global", "userId");
    }
  }
  const bytes = heldBytes() - before;
  const perKey = records > 1 ? "-" : ((bytes - keys * records * 8) / keys).toFixed(0);
  now += 120_000;
  while (limiter.sweep(10_000).more);
  const back = heldBytes() - before;
  print(keys, records, (bytes / 1e6).toFixed(1), (bytes / keys / records).toFixed(2), perKey, (back / 1e6).toFixed(1));
}

/** The same sweep several times: what a slice took at best is its own work, without the turns of other programs. */
function sweep(keys: number): void {
  const sweeps = Array.from({ length: 5 }, () => sliceTimes(keys));
  const best = (sweeps[0] ?? []).map((_, slice) => Math.min(...sweeps.map((times) => times[slice] ?? 0)));
  const longest = [best, sweeps.flat()].map((times) => Math.max(...times).toFixed(2));
  print(keys, best.length, median(best).toFixed(2), ...longest);
}

function sliceTimes(keys: number): number[] {
  let now = 0;
  const clock: Clock = { ...systemClock, now: () => now };
  const limiter = new RateLimiter("bench", clock, {
    globalLimits: [{ key: "userId", maxRequests: 10, windowMs: 1000 }],
  });
  for (let key = 0; key < keys; key++) limiter.check(keyOf(key), "global", "userId");
  now = 1000;
  const times: number[] = [];
  for (let more = true; more; ) {
    const from = performance.now();
    ({ more } = limiter.sweep(1000));
    times.push(performance.now() - from);
  }
  return times;
}

function heldBytes(): number {
  for (let time = 0; time < 3; time++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? 0;
}

function thousands(perSecond: number): string {
  return `${(perSecond / 1000).toFixed(perSecond < 10_000 ? 1 : 0)} k`;
}

function print(...cells: (string | number)[]): void {
  console.log(cells.map((cell) => String(cell).padStart(14)).join(""));
}

function row(kind: string, ...numbers: number[]): void {
  const node = ["--expose-gc", "--max-old-space-size=8192", new URL(import.meta.url).pathname];
  const { status } = spawnSync(process.execPath, [...node, kind, ...numbers.map(String)], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

const [kind, first = 0, second = 0] = [process.argv[2], ...process.argv.slice(3).map(Number)];
if (kind === "speed") await speed(first as number, second as number);
else if (kind === "memory") memory(first as number, second as number);
else if (kind === "sweep") sweep(first as number);
else {
  console.log("Checks per second (medians), random keys, windows filled up to 10 million records in all:");
  print("keys", "maxRequests", "ours", "flexible", "array log", "ours/flexible", "let in");
  for (const keys of allKeys) for (const maxRequests of allMaxRequests) row("speed", keys, maxRequests);
  console.log("\nMemory, with requests spread evenly over a window of a minute (aims: 8 a request, 200 a key beside):");
  print("keys", "requests each", "MB", "bytes/request", "bytes/key*", "MB after sweep");
  for (const keys of [100_000, 1_000_000]) row("memory", keys, 1);
  for (const [keys, requests] of [
    [1, 10_000_000],
    [1_000, 10_000],
    [100_000, 100],
    [1_000_000, 10],
  ]) {
    row("memory", keys as number, requests as number);
  }
  console.log("* of keys with one request: all bytes but 8 for it\n");
  console.log("Sweeping keys without requests, 1 000 a slice (aim: 2 ms), five times over:");
  print("keys", "slices", "median ms", "longest, best", "longest of all");
  row("sweep", 1_000_000);
}
