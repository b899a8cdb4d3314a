// How long calls take over the socket at a given rate, in an open loop: 50 sockets, calls are sent when they are due, at
// equal distances, and their time counts from then. Each server is a process of its own and answers the same requests;
// Socket.IO acknowledges what the others answer in two frames, and Moleculer's call stays in its process, behind the
// floor's server. They take turns in short windows, and ratios compare windows that were side by side.
//
// The aims: a p99 of at most 1.3 times the floor's where the function runs on the gateway's own thread, and of at most
// 1.8 times where it runs on worker threads.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { installCompared } from "../compared-packages.js";
import { type Dialect, phoenix, socketIo } from "./dialect.js";
import { OpenLoad } from "./open-load.js";

interface Variant {
  readonly title: string;
  readonly dialect: Dialect;
  /** The aim for its p99, in times the floor's. */
  readonly aim?: number;
}

const variants: Readonly<Record<string, Variant>> = {
  floor: { title: "bare ws", dialect: phoenix },
  main: { title: "gateway, main thread", dialect: phoenix, aim: 1.3 },
  worker: { title: "gateway, worker threads", dialect: phoenix, aim: 1.8 },
  socketIo: { title: "Socket.IO", dialect: socketIo },
  moleculer: { title: "bare ws, Moleculer's local call", dialect: phoenix },
};
const names = Object.keys(variants);

const sockets = 50;
const rates = [2_000, 10_000, 20_000];
const turns = 6;
const warmUpMs = 1_500;
const settleMs = 200;
const windowMs = 1_000;
const shares = { p50: 0.5, p99: 0.99, p999: 0.999 };
type Share = keyof typeof shares;

type Sample = Readonly<Record<Share | "unanswered", number>>;

interface Server {
  readonly process: ChildProcess;
  readonly load: OpenLoad;
}

async function startServer(name: string): Promise<Server> {
  const process = fork(new URL("latency-server.js", import.meta.url), [name], { execArgv: [] });
  const [port] = (await once(process, "message")) as [number];
  return { process, load: await OpenLoad.connect(port, (variants[name] as Variant).dialect, sockets) };
}

async function stopServer({ process, load }: Server): Promise<void> {
  load.close();
  process.disconnect();
  await once(process, "exit");
}

async function measure({ load }: Server, perSecond: number): Promise<Sample> {
  await load.run(perSecond, settleMs);
  globalThis.gc?.();
  const { latenciesMs, unanswered } = await load.run(perSecond, windowMs);
  const at = (share: Share) => latenciesMs[Math.floor(latenciesMs.length * shares[share])] ?? Number.NaN;
  return { p50: at("p50"), p99: at("p99"), p999: at("p999"), unanswered };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function report(perSecond: number, samples: ReadonlyMap<string, Sample[]>): void {
  console.log(`\n${perSecond.toLocaleString("en")} calls/s${"".padEnd(20)}p50     p99   p99.9 ms   p99 to the floor's`);
  const floor = samples.get("floor") as Sample[];
  for (const name of names) {
    const { title, aim } = variants[name] as Variant;
    const of = samples.get(name) as Sample[];
    const figures = (Object.keys(shares) as Share[]).map((share) => median(of.map((sample) => sample[share])));
    const ratio = median(of.map(({ p99 }, turn) => p99 / (floor[turn] as Sample).p99));
    const unanswered = of.reduce((sum, sample) => sum + sample.unanswered, 0);
    const verdict = aim === undefined ? "" : ratio <= aim ? `, at most ${aim}: met` : `, at most ${aim}: MISSED`;
    console.log(
      `  ${title.padEnd(33)}${figures.map((ms) => ms.toFixed(2).padStart(7)).join(" ")}      ${ratio.toFixed(2)}${verdict}` +
        (unanswered > 0 ? `, ${unanswered} unanswered` : ""),
    );
  }
}

installCompared();
const servers = new Map<string, Server>();
try {
  for (const name of names) servers.set(name, await startServer(name));
  for (const server of servers.values()) await server.load.run(10_000, warmUpMs);
  console.log(`${sockets} sockets; medians of ${turns} windows of ${windowMs / 1_000} s, ratios within each turn.`);
  for (const perSecond of rates) {
    const samples = new Map(names.map((name) => [name, [] as Sample[]]));
    for (let turn = 0; turn < turns; turn++) {
      // Whoever comes first in one turn comes last in the next.
      for (const name of turn % 2 === 0 ? names : names.toReversed()) {
        samples.get(name)?.push(await measure(servers.get(name) as Server, perSecond));
      }
    }
    report(perSecond, samples);
  }
} finally {
  for (const server of servers.values()) await stopServer(server);
}
