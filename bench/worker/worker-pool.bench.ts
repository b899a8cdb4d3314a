// Calls per second on two threads with 1, 16 and 800 in flight: one `piscina.run` a call, and the worker pool. Every
// sample has a process of its own, since threads of other pools would slow it; the variants take turns.
import { spawnSync } from "node:child_process";
import { Piscina } from "piscina";
import type { GenApiError } from "../../dist/core/errors.js";
import { systemClock } from "../../dist/core/time/clock.js";
import type { WorkerCall } from "../../dist/execution/worker-call.js";
import { WorkerPool } from "../../dist/worker/worker-pool.js";
import { workerPoolDefaults } from "../../dist/worker/worker-pool-options.js";

const rounds = 5;
const warmUpMs = 500;
const measureMs = 1_000;
const threads = 2;
const module = new URL("./worker-functions.js", import.meta.url).href;
const message = { msg: "hello, thread" };

/** Keeps so many calls in flight; tells how many were completed. */
type Variant = (inFlight: number) => () => number;

const identity = {
  requestId: "3f0c6c1e-7d1b-4a86-9a39-0d6a1f3d7a11",
  requestType: "echo",
  service: "bench",
  version: "1.0.0",
  userId: "user-1",
  userIdVerified: true,
  deviceId: "device-1",
  userRoles: ["member"],
  topic: "api:lobby",
  ipAddress: "10.0.0.1",
  claims: {},
  deadline: null,
  trace: null,
};

const variants: Record<string, Variant> = {
  "piscina.run": (inFlight) => piscinaVariant(inFlight, 1),
  "piscina.run, 64 tasks per thread": (inFlight) => piscinaVariant(inFlight, 64),
  "worker pool": (inFlight) => poolVariant(inFlight, null),
  "worker pool, with RequestInfo": (inFlight) => poolVariant(inFlight, identity),
};

function piscinaVariant(inFlight: number, concurrentTasksPerWorker: number): () => number {
  const piscina = new Piscina({
    filename: module,
    name: "echo",
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker,
  });
  let completed = 0;
  const again = (): void => {
    completed++;
    void piscina.run(message).then(again);
  };
  for (let i = 0; i < inFlight; i++) void piscina.run(message).then(again);
  return () => completed;
}

function poolVariant(inFlight: number, asking: WorkerCall["identity"]): () => number {
  const pool = new WorkerPool({
    program: "bench",
    ...workerPoolDefaults,
    name: "bench",
    clock: systemClock,
    threads,
    onFailed(error) {
      throw error;
    },
  });
  let completed = 0;
  /** A record for each call, as the gateway makes one. */
  class Call implements WorkerCall {
    readonly service = "bench";
    readonly requestType = "echo";
    readonly version = null;
    readonly module = module;
    readonly moduleName = module;
    readonly ofService = false;
    readonly function = "echo";
    readonly args = [message];
    readonly identity = asking;
    readonly maxResultBytes = 1_000_000;
    succeeded(): void {
      completed++;
      pool.run(new Call());
    }
    failed(error: GenApiError): void {
      throw error;
    }
  }
  for (let i = 0; i < inFlight; i++) pool.run(new Call());
  return () => completed;
}

async function sample(variant: string, inFlight: number): Promise<void> {
  const completed = (variants[variant] as Variant)(inFlight);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const [from, fromMs, cpu] = [completed(), performance.now(), process.cpuUsage()];
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  const calls = completed() - from;
  const seconds = (performance.now() - fromMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ perSecond: calls / seconds, cpuMicros: (user + system) / calls }));
  // Calls are still in flight: what they were to answer does not matter here.
  process.exit();
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function whole(value: number | undefined): string {
  return Math.round(value ?? 0).toLocaleString("en");
}

function compare(): void {
  for (const inFlight of [1, 16, 800]) {
    const figures = new Map(
      Object.keys(variants).map((name) => [name, { perSecond: [], cpuMicros: [] } as Record<string, number[]>]),
    );
    for (let round = 0; round < rounds; round++) {
      for (const [name, samples] of figures) {
        const child = spawnSync(process.execPath, [import.meta.filename, name, String(inFlight)], { encoding: "utf8" });
        if (child.status !== 0) throw new Error(child.stderr);
        for (const [key, value] of Object.entries(JSON.parse(child.stdout))) samples[key]?.push(value as number);
      }
    }
    const floor = median(figures.get("piscina.run")?.perSecond ?? []);
    for (const [name, { perSecond, cpuMicros }] of figures) {
      const rates = (perSecond ?? []).toSorted((a, b) => a - b);
      const rate = median(rates);
      console.log(
        `${String(inFlight).padStart(4)} in flight  ${name.padEnd(32)} ${whole(rate).padStart(9)} calls/s` +
          ` (${whole(rates[0])} to ${whole(rates.at(-1))})`.padEnd(26) +
          ` ${(rate / floor).toFixed(2).padStart(6)} ×  ${median(cpuMicros ?? [])
            .toFixed(1)
            .padStart(6)} µs CPU/call`,
      );
    }
  }
}

const [variant, inFlight] = process.argv.slice(2);
if (variant === undefined) compare();
else await sample(variant, Number(inFlight));
