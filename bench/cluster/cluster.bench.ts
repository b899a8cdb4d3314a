// What a call of a function on another process costs each of the two: gen-api's gateway and service node over a link and
// over NATS; Moleculer over NATS, and bare requests over NATS, both behind a bare `ws` server that takes and gives the
// same frames. Every process is new in every round; within a round the clusters take turns. The function is the same
// and runs on the node's own thread, unless the name says otherwise.
//
// gen-api does more in a call than the others are made to do: it checks the permission and the arguments, counts the
// call among its connection's, and its timeout is set.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { installCompared } from "../compared-packages.js";
import { NatsServer } from "../nats-server.js";
import { Clients } from "../socket/socket-load.js";

const variants = {
  link: "gen-api, link",
  nats: "gen-api, NATS",
  linkWorker: "gen-api, link, threads",
  natsWorker: "gen-api, NATS, threads",
  json: "Moleculer, NATS, JSON",
  cbor: "Moleculer, NATS, CBOR",
  bare: "bare requests, NATS",
};
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];
/** The gateway must listen before its node is started. */
const gatewayFirst: readonly string[] = ["link", "nats", "linkWorker", "natsWorker"];

const mostRounds = 7;
const mostMs = 220_000;
const connections = 50;
/**
 * How many connections, how many requests each of them has in flight, for how long; and how long before that: V8 has to
 * learn each load anew, one call a message or many, and takes some 10 000 calls to do so.
 */
const loads = [
  { inFlight: 800, count: connections, each: 16, ms: 100, warmUpMs: 500 },
  { inFlight: 50, count: connections, each: 1, ms: 100, warmUpMs: 300 },
  { inFlight: 1, count: 1, each: 1, ms: 200, warmUpMs: 3_000 },
];
/** How often each cluster is measured in a round: short turns, so that what else the machine does meets all alike. */
const turns = 4;

interface Cluster {
  readonly gateway: ChildProcess;
  readonly node: ChildProcess;
  readonly clients: Clients;
}

/** Microseconds of CPU time per call, on each process. */
interface Sample {
  readonly gateway: number;
  readonly node: number;
  readonly nats: number;
  readonly load: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

type Samples = Record<Variant, Sample[]>;

installCompared();
const nats = await NatsServer.start();

/** Starts a script of this folder. @returns the process, and what it told when it was ready */
async function start(file: string, ...args: string[]): Promise<[ChildProcess, unknown]> {
  const started = fork(new URL(file, import.meta.url), args, {
    execArgv: [],
    env: { ...process.env, NODE_ENV: "production" },
  });
  started.on("exit", (code) => {
    if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}`);
  });
  const [ready] = await once(started, "message");
  return [started, ready];
}

async function startCluster(variant: Variant): Promise<Cluster> {
  if (gatewayFirst.includes(variant)) {
    const [gateway, port] = await start("cluster-gateway.js", variant, nats.url);
    const [node] = await start(
      "cluster-node.js",
      variant,
      variant.startsWith("link") ? `ws://127.0.0.1:${port}/node` : nats.url,
    );
    return { gateway, node, clients: await Clients.connect(port as number, connections) };
  }
  const [node] = await start("cluster-node.js", variant, nats.url);
  const [gateway, port] = await start("cluster-gateway.js", variant, nats.url);
  return { gateway, node, clients: await Clients.connect(port as number, connections) };
}

async function stopCluster({ gateway, node, clients }: Cluster): Promise<void> {
  clients.close();
  for (const each of [gateway, node]) {
    each.disconnect();
    await once(each, "exit");
  }
}

/** The CPU time that a process has used until now, all its threads together. */
async function cpuOf(measured: ChildProcess): Promise<number> {
  measured.send("cpu");
  const [micros] = (await once(measured, "message")) as [number];
  return micros;
}

/** The CPU time of gateway, node, NATS server and this process until now. */
async function cpuNow({ gateway, node }: Cluster): Promise<number[]> {
  const { user, system } = process.cpuUsage();
  return [await cpuOf(gateway), await cpuOf(node), nats.cpuMicros, user + system];
}

async function measure(cluster: Cluster, { each, count, ms }: (typeof loads)[number]): Promise<Sample> {
  globalThis.gc?.();
  const from = await cpuNow(cluster);
  const { requests, seconds, latenciesMs } = await cluster.clients.run(each, ms, count);
  const until = await cpuNow(cluster);
  const [gateway, node, ofNats, load] = until.map((micros, index) => (micros - (from[index] as number)) / requests);
  return {
    gateway: gateway as number,
    node: node as number,
    nats: ofNats as number,
    load: load as number,
    perSecond: requests / seconds,
    p50: latenciesMs[Math.floor(requests * 0.5)] as number,
    p99: latenciesMs[Math.floor(requests * 0.99)] as number,
  };
}

function sameAnswers(clusters: Record<Variant, Cluster>): void {
  const [expected, ...others] = names.map((name) => JSON.stringify(clusters[name].clients.answer));
  for (const answer of others) {
    if (answer !== expected) throw new Error(`The gateways answer differently: ${expected} and ${answer}`);
  }
}

async function playRound(samples: ReadonlyMap<(typeof loads)[number], Samples>): Promise<void> {
  const clusters = {} as Record<Variant, Cluster>;
  try {
    for (const name of names) clusters[name] = await startCluster(name);
    sameAnswers(clusters);
    for (const [load, of] of samples) {
      for (const name of names) await clusters[name].clients.run(load.each, load.warmUpMs, load.count);
      for (let turn = 0; turn < turns; turn++) {
        // Whoever comes first in one turn comes last in the next.
        for (const name of turn % 2 === 0 ? names : names.toReversed()) {
          of[name].push(await measure(clusters[name], load));
        }
      }
    }
  } finally {
    for (const cluster of Object.values(clusters)) await stopCluster(cluster);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** What Moleculer costs in each turn with its cheaper serializer. */
function moleculerOf({ json, cbor }: Samples, key: keyof Sample): number[] {
  const [cheaper] = [json, cbor].toSorted(
    (a, b) => median(a.map(({ gateway }) => gateway)) - median(b.map(({ gateway }) => gateway)),
  );
  return (cheaper as Sample[]).map((sample) => sample[key]);
}

function ratios(values: readonly number[], to: readonly number[]): string {
  const each = values.map((value, turn) => value / (to[turn] as number)).sort((a, b) => a - b);
  const at = (share: number) => (each[Math.floor(each.length * share)] as number).toFixed(2);
  return `${at(0.5)} (${at(0.25)}–${at(0.75)})`;
}

function report(inFlight: number, samples: Samples): void {
  console.log(`\n${inFlight} in flight`);
  console.log(
    "                             calls/s         CPU µs/call on the                                              µs/call of    latency ms\n" +
      "                                     ratio   gateway: ratio             node: ratio                NATS   load    p50    p99",
  );
  for (const name of names) {
    const of = samples[name];
    const all = (key: keyof Sample) => of.map((sample) => sample[key]);
    const figure = (key: keyof Sample, digits = 1) => median(all(key)).toFixed(digits);
    const ratio = (key: keyof Sample) => ratios(all(key), moleculerOf(samples, key));
    console.log(
      `  ${variants[name].padEnd(25)}${Math.round(median(all("perSecond")))
        .toLocaleString("en")
        .padStart(7)}` +
        `  ${ratio("perSecond").split(" ")[0]?.padStart(5)}` +
        `  ${figure("gateway").padStart(6)}: ${ratio("gateway").padEnd(17)}` +
        `  ${figure("node").padStart(6)}: ${ratio("node").padEnd(17)}` +
        `  ${figure("nats").padStart(6)} ${figure("load").padStart(6)} ${figure("p50", 2).padStart(6)} ${figure("p99", 2).padStart(6)}`,
    );
  }
}

const samples = new Map(
  loads.map((load) => [load, Object.fromEntries(names.map((name) => [name, []])) as unknown as Samples]),
);
let rounds = 0;
try {
  while (rounds < mostRounds && performance.now() < mostMs) {
    await playRound(samples);
    rounds++;
  }
} finally {
  await nats.stop();
}
console.log(
  `${rounds} rounds of ${turns} turns, medians (and quartiles); ratios within each turn, to Moleculer with its cheaper serializer.\n` +
    "The aims for the gateway's: over NATS below 1, over a link at most 0.7.",
);
for (const [{ inFlight }, of] of samples) report(inFlight, of);
