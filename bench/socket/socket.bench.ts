// What a request over the socket costs the server: a bare `ws` server that gives the same answers byte for byte (the
// floor), the gateway with the function on its own thread, and with the function on worker threads. Each server is a
// process of its own, new in every round; within a round they take turns, so that ratios compare what was measured
// side by side. There are two floors, by when they uncork, since the load decides which is cheaper: ratios are to that.
//
// The gateway can be below the floor: it puts its frames together from text that is already encoded and writes them
// as one string, which saves more than its checks cost.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Clients, type Load } from "./socket-load.js";

const variants = {
  floorTick: "bare ws, nextTick",
  floorTurn: "bare ws, setImmediate",
  main: "gateway, main thread",
  worker: "gateway, worker threads",
};
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];

const mostRounds = 7;
const mostMs = 65_000;
const connections = 50;
const inFlights = [1, 16, 64];
const warmUpMs = 500;
const measureMs = 400;

interface Server {
  readonly process: ChildProcess;
  readonly clients: Clients;
}

interface Sample {
  readonly cpuMicros: number;
  readonly loadCpuMicros: number;
  readonly loadBusy: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

type Samples = Record<Variant, Sample[]>;

async function startServer(variant: Variant): Promise<Server> {
  const script = new URL("./socket-server.js", import.meta.url);
  const process = fork(script, [variant], { execArgv: [] });
  const [port] = (await once(process, "message")) as [number];
  return { process, clients: await Clients.connect(port, connections) };
}

async function stopServer({ process, clients }: Server): Promise<void> {
  clients.close();
  process.disconnect();
  await once(process, "exit");
}

/** The CPU time that a server has used until now, all its threads together. */
async function cpuOf({ process }: Server): Promise<number> {
  process.send("cpu");
  const [micros] = (await once(process, "message")) as [number];
  return micros;
}

async function measure(server: Server, inFlight: number): Promise<Sample> {
  globalThis.gc?.();
  const serverFrom = await cpuOf(server);
  const from = process.cpuUsage();
  const load: Load = await server.clients.run(inFlight, measureMs);
  const { user, system } = process.cpuUsage(from);
  const serverMicros = (await cpuOf(server)) - serverFrom;
  const { requests, seconds, latenciesMs } = load;
  return {
    cpuMicros: serverMicros / requests,
    loadCpuMicros: (user + system) / requests,
    loadBusy: (user + system) / (seconds * 1e6),
    perSecond: requests / seconds,
    p50: latenciesMs[Math.floor(requests * 0.5)] as number,
    p99: latenciesMs[Math.floor(requests * 0.99)] as number,
  };
}

function sameAnswers(servers: Record<Variant, Server>): void {
  const [expected, ...others] = names.map((name) => JSON.stringify(servers[name].clients.answer));
  for (const answer of others) {
    if (answer !== expected) throw new Error(`The servers answer differently: ${expected} and ${answer}`);
  }
}

async function playRound(samples: ReadonlyMap<number, Samples>, round: number): Promise<void> {
  const servers = {} as Record<Variant, Server>;
  try {
    for (const name of names) servers[name] = await startServer(name);
    sameAnswers(servers);
    for (const name of names) await servers[name].clients.run(16, warmUpMs);
    for (const [inFlight, of] of samples) {
      // Whoever comes first in one round comes last in the next.
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        of[name].push(await measure(servers[name], inFlight));
      }
    }
  } finally {
    for (const server of Object.values(servers)) await stopServer(server);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** The floor's cost in each round. */
function floorOf({ floorTick, floorTurn }: Samples): number[] {
  return floorTick.map(({ cpuMicros }, round) => Math.min(cpuMicros, (floorTurn[round] as Sample).cpuMicros));
}

function report(inFlight: number, samples: Samples): void {
  console.log(`\n${inFlight} in flight on each of ${connections} connections`);
  console.log(
    "                          CPU µs/request   ratio to the floor     requests/s   latency ms    the load's own CPU\n" +
      "                            min  median    median (min–max)           median   p50    p99    µs/request  busy",
  );
  const floor = floorOf(samples);
  for (const name of names) {
    const of = samples[name];
    const figure = (key: keyof Sample) => median(of.map((sample) => sample[key]));
    const cpu = of.map(({ cpuMicros }) => cpuMicros);
    const ratios = cpu.map((micros, round) => micros / (floor[round] as number));
    const spread = `(${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
    console.log(
      `  ${variants[name].padEnd(23)}${Math.min(...cpu)
        .toFixed(1)
        .padStart(6)}  ${median(cpu).toFixed(1).padStart(6)}` +
        `      ${median(ratios).toFixed(2)} ${spread.padEnd(13)}` +
        `${Math.round(figure("perSecond")).toLocaleString("en").padStart(11)} ` +
        `${figure("p50").toFixed(1).padStart(6)} ${figure("p99").toFixed(1).padStart(6)} ` +
        `${figure("loadCpuMicros").toFixed(1).padStart(13)} ${Math.round(figure("loadBusy") * 100)} %`,
    );
  }
}

const samples = new Map(
  inFlights.map((inFlight) => [inFlight, Object.fromEntries(names.map((name) => [name, []])) as unknown as Samples]),
);
let rounds = 0;
while (rounds < mostRounds && performance.now() < mostMs) await playRound(samples, rounds++);
console.log(`The server's CPU time, all its threads together; ${rounds} rounds, ratios within each.`);
for (const [inFlight, of] of samples) report(inFlight, of);
