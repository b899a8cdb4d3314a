// Measures one contender, in a process of its own, and tells the parent what each thing took: microseconds, or bytes.
import type { Contender, World } from "./contender.js";
import { comedy } from "./contenders/comedy.js";
import { genApi } from "./contenders/gen-api.js";
import { nact } from "./contenders/nact.js";
import { promiseQueue } from "./contenders/promise-queue.js";
import { xstate } from "./contenders/xstate.js";

const contenders: Readonly<Record<string, Contender<unknown>>> = { genApi, xstate, nact, comedy, promiseQueue };

const few = 100;
const many = 100_000;
const measureMs = 400;

/** Microseconds for each run, over some hundred milliseconds. */
async function microseconds(run: () => unknown, at = 1): Promise<number> {
  const from = performance.now();
  let runs = 0;
  do {
    for (let i = 0; i < 20; i++) await run();
    runs += 20;
  } while (performance.now() - from < measureMs);
  return ((performance.now() - from) / runs / at) * 1_000;
}

let next = 0;
const newId = () => `n${next++}`;

async function startAndStop(world: World<unknown>): Promise<{ start: number; stop: number }> {
  const batch = 50;
  const started: unknown[] = [];
  let start = 0;
  let stop = 0;
  let runs = 0;
  do {
    const from = performance.now();
    for (let i = 0; i < batch; i++) started.push(await world.spawn(newId()));
    const between = performance.now();
    for (const actor of started.splice(0)) await world.stop(actor);
    start += between - from;
    stop += performance.now() - between;
    runs += batch;
  } while (start + stop < measureMs);
  return { start: (start / runs) * 1_000, stop: (stop / runs) * 1_000 };
}

function bytes(): { heap: number; rss: number } {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss };
}

async function measure(world: World<unknown>): Promise<Record<string, number>> {
  const result: Record<string, number> = {};
  const crowd: unknown[] = [];
  const fill = async (count: number) => {
    const from = performance.now();
    const before = crowd.length;
    while (crowd.length < count) crowd.push(await world.spawn(newId()));
    return ((performance.now() - from) / (count - before)) * 1_000;
  };
  await fill(few);
  const actor = crowd[0];
  const call = () => world.call(actor, 1);
  const callsAtOnce = () => Promise.all(Array.from({ length: 100 }, call));
  const casts = async () => {
    for (let i = 0; i < 1_000; i++) world.cast(actor, 1);
    await call();
  };
  // Warm, all of it.
  await startAndStop(world);
  for (const run of [call, callsAtOnce, casts, world.crash ?? call]) await microseconds(run);

  const beside = await startAndStop(world);
  result.startFew = beside.start;
  result.stopFew = beside.stop;
  result.call = await microseconds(call);
  result.callsAtOnce = await microseconds(callsAtOnce, 100);
  result.cast = await microseconds(casts, 1_000);
  if (world.crash !== undefined) result.crash = await microseconds(world.crash);

  const before = bytes();
  result.fill = await fill(many);
  const after = bytes();
  result.heap = (after.heap - before.heap) / (many - few);
  result.rss = (after.rss - before.rss) / (many - few);
  const besideMany = await startAndStop(world);
  result.startMany = besideMany.start;
  result.stopMany = besideMany.stop;
  // One after the other, as messages come to different actors.
  let at = 0;
  result.callMany = await microseconds(() => {
    at = (at + 7_919) % many;
    return world.call(crowd[at], 1);
  });
  if (world.close !== undefined) {
    const from = performance.now();
    await world.close();
    result.close = ((performance.now() - from) / many) * 1_000;
  }
  return result;
}

const contender = contenders[process.argv[2] ?? ""];
if (contender === undefined) throw new Error(`No contender ${process.argv[2]}`);
const result = await measure(await contender.open());
process.send?.(result, () => process.exit(0));
