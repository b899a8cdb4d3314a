// What an idle connection costs: many sockets that have each joined one topic and keep still, at the gateway and at a
// bare `ws` server that answers the join and keeps nothing. Each server is a process of its own, new in every round, and
// the sockets are in this one. Heap and RSS are what the server has more than before its first socket, after garbage
// collection; a first small crowd comes and goes before that, so that no code is compiled in between.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { IdleClients } from "./idle-clients.js";
import type { Footprint } from "./server.js";

const variants = { bare: "bare ws", gateway: "gateway" };
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];

const rounds = 3;
const sockets = 10_000;
const warmUpSockets = 500;

/** Each a connection. */
interface Sample {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly joinsPerSecond: number;
  readonly cpuMicros: number;
}

async function footprintOf(server: ChildProcess): Promise<Footprint> {
  server.send("footprint");
  const [footprint] = (await once(server, "message")) as [Footprint];
  return footprint;
}

async function measure(variant: Variant): Promise<Sample> {
  const script = new URL("./server.js", import.meta.url);
  const server = fork(script, [variant], { execArgv: ["--expose-gc"] });
  try {
    const [port] = (await once(server, "message")) as [number];
    await (await IdleClients.join(port, warmUpSockets)).close();
    await footprintOf(server);
    const before = await footprintOf(server);
    const from = performance.now();
    const clients = await IdleClients.join(port, sockets);
    const seconds = (performance.now() - from) / 1_000;
    const after = await footprintOf(server);
    await clients.close();
    return {
      heapBytes: (after.heap - before.heap) / sockets,
      rssBytes: (after.rss - before.rss) / sockets,
      joinsPerSecond: sockets / seconds,
      cpuMicros: (after.cpuMicros - before.cpuMicros) / sockets,
    };
  } finally {
    if (server.connected) server.disconnect();
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

const samples: Record<Variant, Sample[]> = { bare: [], gateway: [] };
for (let round = 0; round < rounds; round++) {
  // Whoever comes first in one round comes last in the next.
  for (const name of round % 2 === 0 ? names : names.toReversed()) samples[name].push(await measure(name));
}

const figure = (name: Variant, key: keyof Sample) => median(samples[name].map((sample) => sample[key]));
const kilobytes = (bytes: number) => (bytes / 1_024).toFixed(2);
console.log(`${sockets} idle sockets, each joined to one topic; medians of ${rounds} rounds.\n`);
console.log("             heap KB   RSS KB   joins/s   server's CPU µs");
console.log("               each     each               a join");
for (const name of names) {
  console.log(
    `  ${variants[name].padEnd(9)}${kilobytes(figure(name, "heapBytes")).padStart(9)}` +
      `${kilobytes(figure(name, "rssBytes")).padStart(9)}` +
      `${Math.round(figure(name, "joinsPerSecond")).toLocaleString("en").padStart(10)}` +
      `${figure(name, "cpuMicros").toFixed(0).padStart(14)}`,
  );
}
const more = samples.gateway.map(({ heapBytes }, round) => heapBytes - (samples.bare[round] as Sample).heapBytes);
const [least, most] = [Math.min(...more), Math.max(...more)].map(kilobytes);
console.log(`\nThe gateway has ${kilobytes(median(more))} KB of heap a connection more (${least}–${most}).`);
