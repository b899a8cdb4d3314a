// What an actor costs: a dynamic supervisor's child started and stopped, beside as many siblings; a gen-server's call
// and cast, beside a bare send to XState's cheapest actor.
import { createActor, fromCallback } from "xstate";
import { childSpec } from "../dist/actor/child-spec.js";
import { fromDynamicSupervisor } from "../dist/actor/dynamic-supervisor.js";
import { call, cast, fromGenServer, type GenServerRefFrom } from "../dist/actor/gen-server.js";
import { fromResource } from "../dist/actor/resource.js";
import { type SupervisorRef, startChild, terminateChild } from "../dist/actor/supervisor-requests.js";
import { startSystem } from "../dist/actor/system.js";

const rounds = 5;
const turns = 20_000;
const idle = fromResource(() => () => undefined);

const counter = fromGenServer({
  init: () => ({ count: 0 }),
  handleCall: {
    add: (state, by: number) => {
      state.count += by;
      return state.count;
    },
  },
  handleCast: {
    add: (state, by: number) => {
      state.count += by;
    },
  },
});

/** Microseconds for each of `times` runs. */
async function microseconds(times: number, run: () => unknown): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < times; i++) await run();
  return ((performance.now() - from) / times) * 1000;
}

function median(samples: readonly number[]): string {
  const sorted = samples.toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1] as number).toFixed(2);
}

function row(what: string, samples: readonly number[]): void {
  const range = `${Math.min(...samples).toFixed(2)} to ${Math.max(...samples).toFixed(2)}`;
  console.log(`${what.padEnd(58)} ${median(samples).padStart(8)} µs  (${range})`);
}

interface Crowd {
  readonly siblings: number;
  readonly ref: SupervisorRef;
  readonly fill: number;
  empty(): Promise<number>;
}

/** A dynamic supervisor with that many children. */
async function crowd(siblings: number): Promise<Crowd> {
  const children = [childSpec({ id: "crowd", name: "crowd", logic: fromDynamicSupervisor() })];
  const system = startSystem({ name: "bench", children });
  const ref = system.whereis<SupervisorRef>("crowd") as SupervisorRef;
  let i = 0;
  const fill = await microseconds(siblings, () =>
    startChild(ref, { id: `c${i++}`, logic: idle, restart: "temporary" }),
  );
  return {
    siblings,
    ref,
    fill,
    async empty() {
      const from = performance.now();
      await system.shutdown();
      return ((performance.now() - from) / siblings) * 1000;
    },
  };
}

let next = 0;
// A new id each time, as connections have: V8's Map looks a key up more slowly the more often it was set and deleted.
async function startAndStop(ref: SupervisorRef): Promise<void> {
  const id = `n${next++}`;
  await startChild(ref, { id, logic: idle, restart: "temporary" });
  await terminateChild(ref, id);
}

await microseconds(
  turns,
  (
    (warm) => () =>
      startAndStop(warm.ref)
  )(await crowd(100)),
);
const samples = new Map<string, number[]>();
const note = (what: string, sample: number) => samples.set(what, [...(samples.get(what) ?? []), sample]);
for (let round = 0; round < rounds; round++) {
  for (const siblings of [100, 2_000, 20_000]) {
    const { ref, fill, empty } = await crowd(siblings);
    // The crowd's own garbage is not the newcomer's cost.
    globalThis.gc?.();
    const turn = await microseconds(turns, () => startAndStop(ref));
    note(`start and stop a child beside ${siblings}`, turn);
    note(`start each of ${siblings}`, fill);
    note(`stop each of ${siblings}, all at once`, await empty());
  }
  const system = startSystem({ name: "bench", children: [childSpec({ id: "c", name: "c", logic: counter })] });
  const ref = system.whereis<GenServerRefFrom<typeof counter>>("c");
  const many = 100_000;
  note("gen-server call, awaited one by one", await microseconds(many, () => call(ref, "add", 1)));
  note("gen-server call, 100 at once", await callsAtOnce(ref, many));
  note(
    "gen-server cast",
    perSend(many, () => cast(ref, "add", 1)),
  );
  const bare = createActor(fromCallback(({ receive }) => receive(() => undefined))).start();
  note(
    "bare send to fromCallback",
    perSend(many, () => bare.send({ type: "add" })),
  );
  await system.shutdown();
}
for (const [what, measured] of samples) row(what, measured);

async function callsAtOnce(ref: GenServerRefFrom<typeof counter> | undefined, times: number): Promise<number> {
  const batch = 100;
  const each = await microseconds(times / batch, () =>
    Promise.all(Array.from({ length: batch }, () => call(ref, "add", 1))),
  );
  return each / batch;
}

function perSend(times: number, send: () => void): number {
  const from = performance.now();
  for (let i = 0; i < times; i++) send();
  return ((performance.now() - from) / times) * 1000;
}
