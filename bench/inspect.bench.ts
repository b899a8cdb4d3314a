// What watching actors costs: a gen-server's cast, and a child started and stopped beside a thousand others, which is
// what a connection and a stream are; unwatched, watched but for these, watched, and converted by Stately's inspector.
import { createInspector } from "@statelyai/inspect";
import { cast, fromGenServer, type GenServerRefFrom } from "../dist/actor/gen-server/gen-server.js";
import type { Inspection } from "../dist/actor/inspection/inspection.js";
import { fromResource } from "../dist/actor/resource.js";
import { childSpec } from "../dist/actor/supervisor/child-spec.js";
import { fromDynamicSupervisor } from "../dist/actor/supervisor/dynamic-supervisor.js";
import { type SupervisorRef, startChild, terminateChild } from "../dist/actor/supervisor/supervisor-requests.js";
import { startSystem } from "../dist/actor/system.js";

const rounds = 5;
const casts = 20_000;
const children = 1_000;

const idle = fromResource(() => ({ close: () => undefined, formatStatus: () => ({ topic: "api:lobby", running: 0 }) }));
const counter = fromGenServer({
  init: () => ({ count: 0 }),
  handleCast: {
    add: (state, by: number) => {
      state.count += by;
    },
  },
  formatStatus: ({ count }) => ({ count }),
});

let heard = 0;
const hear = () => void heard++;
const stately = createInspector({ send: hear });
const watchings: Record<string, Inspection | undefined> = {
  "nobody watches": undefined,
  "a filter drops it": { observer: hear, filter: () => false },
  "an observer that does nothing": { observer: hear },
  "Stately's inspector, without its socket": { observer: stately.inspect as Inspection["observer"] },
};

const samples = new Map<string, number[]>();
const note = (what: string, sample: number) => samples.set(what, [...(samples.get(what) ?? []), sample]);

for (let round = 0; round <= rounds; round++) {
  for (const [watching, inspect] of Object.entries(watchings)) {
    const system = startSystem({
      name: "bench",
      children: [
        childSpec({ id: "counter", name: "counter", logic: counter }),
        childSpec({ id: "crowd", name: "crowd", logic: fromDynamicSupervisor() }),
      ],
      ...(inspect === undefined ? {} : { inspect }),
    });
    const ref = system.whereis<GenServerRefFrom<typeof counter>>("counter");
    const crowd = system.whereis<SupervisorRef>("crowd");
    const cost = await microseconds(casts, () => cast(ref, "add", 1));
    for (let i = 0; i < children; i++) await startChild(crowd, { id: `c${i}`, logic: idle, restart: "temporary" });
    const turn = await microseconds(children, async (i) => {
      await startChild(crowd, { id: `n${i}`, logic: idle, restart: "temporary" });
      await terminateChild(crowd, `n${i}`);
    });
    await system.shutdown();
    // The first round warms up.
    if (round === 0) continue;
    note(`cast: ${watching}`, cost);
    note(`child: ${watching}`, turn);
  }
}
for (const [what, measured] of [...samples].sort(([a], [b]) => a.split(":")[0]!.localeCompare(b.split(":")[0]!))) {
  const sorted = measured.toSorted((a, b) => a - b);
  const range = `${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)}`;
  console.log(`${what.padEnd(58)} ${sorted[sorted.length >> 1]?.toFixed(2).padStart(8)} µs  (${range})`);
}

/** Microseconds for each of `times` runs, what an inspector puts off to a turn of its own included. */
async function microseconds(times: number, run: (i: number) => unknown): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < times; i++) await run(i);
  await new Promise((resolve) => setTimeout(resolve));
  return ((performance.now() - from) / times) * 1000;
}
