// Chunks per second from one thread to a consumer that takes each at once; and what clients that read nothing cost:
// endless streams whose chunks nobody takes. Every sample has a process of its own.
import { spawnSync } from "node:child_process";
import { systemClock } from "../../dist/core/time/clock.js";
import type { RunningStream } from "../../dist/execution/worker-call.js";
import { WorkerPool } from "../../dist/worker/worker-pool.js";
import { workerPoolDefaults } from "../../dist/worker/worker-pool-options.js";

const rounds = 3;
const warmUpMs = 500;
const measureMs = 1_000;
const stoppedStreams = 500;
const module = new URL("./worker-functions.js", import.meta.url).href;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function openPool(): WorkerPool {
  return new WorkerPool({
    ...workerPoolDefaults,
    program: "bench",
    name: "bench",
    clock: systemClock,
    threads: 1,
    onFailed(error) {
      throw error;
    },
  });
}

function openStream(pool: WorkerPool, name: string, chunk: (running: RunningStream) => void): void {
  const running: RunningStream = pool.stream({
    service: "bench",
    requestType: name,
    version: null,
    module,
    moduleName: module,
    ofService: false,
    function: name,
    args: [],
    identity: null,
    maxResultBytes: 1_000_000,
    chunk: () => chunk(running),
    ended: () => undefined,
    failed(error) {
      throw error;
    },
  });
}

async function sample(name: string, streams: number): Promise<void> {
  const pool = openPool();
  let came = 0;
  for (let i = 0; i < streams; i++) {
    openStream(pool, name, (running) => {
      came++;
      running.grant(1);
    });
  }
  await pause(warmUpMs);
  const [from, fromMs, cpu] = [came, performance.now(), process.cpuUsage()];
  await pause(measureMs);
  const chunks = came - from;
  const seconds = (performance.now() - fromMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify([chunks / seconds, (user + system) / chunks]));
  process.exit();
}

/** Memory before and after so many streams whose client reads nothing, in MB. */
async function stopped(): Promise<void> {
  const pool = openPool();
  await pool.verify({ module, moduleName: module, function: "chunks", ofService: false });
  const collect = globalThis.gc as () => void;
  collect();
  const before = process.memoryUsage();
  let came = 0;
  for (let i = 0; i < stoppedStreams; i++) openStream(pool, "chunks", () => came++);
  await pause(warmUpMs);
  const soon = came;
  await pause(2 * measureMs);
  collect();
  const after = process.memoryUsage();
  const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  console.log(
    `${stoppedStreams} endless streams whose client reads nothing: ${soon} chunks, ${came} two seconds later; ` +
      `heap ${megabytes(after.heapUsed - before.heapUsed)} MB, external ${megabytes(after.external - before.external)} MB, ` +
      `resident ${megabytes(after.rss - before.rss)} MB more`,
  );
  process.exit();
}

function spawn(...args: string[]): string {
  const child = spawnSync(process.execPath, ["--expose-gc", import.meta.filename, ...args], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr);
  return child.stdout;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function compare(): void {
  for (const name of ["chunks", "laterChunks"]) {
    for (const streams of [1, 20]) {
      const samples = Array.from(
        { length: rounds },
        () => JSON.parse(spawn(name, String(streams))) as [number, number],
      );
      const perSecond = median(samples.map(([rate]) => rate));
      const micros = median(samples.map(([, cpu]) => cpu));
      const kind = name === "chunks" ? "generator" : "async generator";
      console.log(
        `${String(streams).padStart(3)} stream(s) ${kind.padEnd(16)} ${Math.round(perSecond).toLocaleString("en").padStart(10)} chunks/s` +
          `  ${micros.toFixed(2)} µs CPU/chunk`,
      );
    }
  }
  process.stdout.write(spawn("stopped"));
}

const [what, streams] = process.argv.slice(2);
if (what === undefined) compare();
else if (what === "stopped") await stopped();
else await sample(what, Number(streams));
