// What one message to everybody in a room costs: the gateway's broadcast, a bare `ws` server that sends the same bytes to
// one socket after the other, and a room of Socket.IO. Each server is a process of its own. They take turns in short
// windows, and ratios compare windows that were side by side.
//
// The aims: at least 0.9 of bare `ws`, and at least three times Socket.IO, by CPU time per delivery.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { installCompared } from "../compared-packages.js";
import { cpuMicrosOf } from "../cpu-time.js";

const titles: Readonly<Record<string, string>> = { bare: "bare ws", gateway: "gateway", socketIo: "Socket.IO" };
const names = Object.keys(titles);
const turns = 5;
/** Members of the room, and messages in one window. */
const sizes = [
  [10, 10_000],
  [1_000, 200],
  [10_000, 20],
] as const;

interface Server {
  readonly process: ChildProcess;
  readonly members: ChildProcess;
  /** Bytes of one message to all members. */
  readonly messageBytes: number;
}

interface Sample {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** Starts one of the processes, and waits for its first message. */
async function started(script: string, ...args: string[]): Promise<[ChildProcess, unknown]> {
  const child = fork(new URL(script, import.meta.url), args, { execArgv: [] });
  const [first] = await once(child, "message");
  return [child, first];
}

async function start(name: string, size: number): Promise<Server> {
  const [server, port] = await started("broadcast-server.js", name);
  const [members] = await started("broadcast-members.js", String(port), name, String(size));
  members.send(null as never);
  server.send(1);
  const [messageBytes] = (await once(members, "message")) as [number];
  return { process: server, members, messageBytes };
}

async function measure(
  { process: server, members, messageBytes }: Server,
  size: number,
  messages: number,
): Promise<Sample> {
  const cpu = cpuMicrosOf(server.pid as number);
  const from = performance.now();
  members.send(messageBytes * messages);
  server.send(messages);
  await once(members, "message");
  const seconds = (performance.now() - from) / 1_000;
  const deliveries = size * messages;
  return { perSecond: deliveries / seconds, cpuMicros: (cpuMicrosOf(server.pid as number) - cpu) / deliveries };
}

async function stop(child: ChildProcess): Promise<void> {
  child.disconnect();
  await once(child, "exit");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

installCompared();
console.log(`Medians of ${turns} windows; ratios within each turn. CPU is that of the server, µs per delivery.`);
for (const [size, messages] of sizes) {
  const servers = new Map<string, Server>();
  const samples = new Map(names.map((name) => [name, [] as Sample[]]));
  try {
    for (const name of names) servers.set(name, await start(name, size));
    for (const server of servers.values()) await measure(server, size, messages);
    for (let turn = 0; turn < turns; turn++) {
      for (const name of turn % 2 === 0 ? names : names.toReversed()) {
        samples.get(name)?.push(await measure(servers.get(name) as Server, size, messages));
      }
    }
  } finally {
    for (const { members, process: server } of servers.values()) {
      await stop(members);
      await stop(server);
    }
  }
  console.log(
    `\n${size} members, ${messages} messages a window`.padEnd(40),
    "deliveries/s   CPU µs   speed to bare ws",
  );
  const of = (name: string) => samples.get(name) as Sample[];
  const ratio = (name: string, to: string) =>
    median(of(to).map(({ cpuMicros }, turn) => cpuMicros / (of(name)[turn] as Sample).cpuMicros));
  for (const name of names) {
    const perSecond = Math.round(median(of(name).map((sample) => sample.perSecond)));
    const cpu = median(of(name).map((sample) => sample.cpuMicros));
    console.log(
      `  ${titles[name]?.padEnd(37)} ${perSecond.toLocaleString("en").padStart(12)} ${cpu.toFixed(2).padStart(8)} ${ratio(name, "bare").toFixed(2).padStart(18)}`,
    );
  }
  const [toBare, toSocketIo] = [ratio("gateway", "bare"), ratio("gateway", "socketIo")];
  console.log(
    `  the gateway's speed is ${toBare.toFixed(2)} of bare ws, at least 0.9: ${toBare >= 0.9 ? "met" : "MISSED"}`,
  );
  console.log(`  and ${toSocketIo.toFixed(2)} times Socket.IO's, at least 3: ${toSocketIo >= 3 ? "met" : "MISSED"}`);
}
