// What many registered functions cost: memory of each, and the time of a lookup and of a whole request of the host program,
// which must not depend on their number; and how long a service node's push of 10 000 takes over a link, and holds the
// gateway's event loop. Every sample has processes of its own.
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Held } from "./configs-gateway.js";
import type { TableSample } from "./configs-table.js";

const rounds = 3;
const tableSizes = [10, 1_000, 100_000];
const pushed = 10_000;
const mostPushMs = 1_000;
const mostHeldMs = 20;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function tableSample(size: number): TableSample {
  const script = new URL("./configs-table.js", import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", script, String(size)], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function compareTables(): void {
  const samples = new Map<number, TableSample[]>(tableSizes.map((size) => [size, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [size, of] of samples) of.push(tableSample(size));
  }
  console.log("             memory of    a lookup, ns                  a request, µs");
  console.log("registered   each, bytes  any   in a Map   of 1 000     any   of 1 000     the aim: all alike");
  for (const [size, of] of samples) {
    const figure = (key: keyof TableSample, digits: number, width: number) =>
      median(of.map((sample) => sample[key]))
        .toFixed(digits)
        .padStart(width);
    console.log(
      size.toLocaleString("en").padStart(10) +
        figure("bytesEach", 0, 14) +
        figure("resolveNs", 0, 5) +
        figure("mapNs", 0, 11) +
        figure("resolveUsedNs", 0, 11) +
        figure("requestMicros", 1, 8) +
        figure("requestUsedMicros", 1, 11),
    );
  }
}

async function start(file: string, ...args: string[]): Promise<[ChildProcess, unknown]> {
  const started = fork(new URL(file, import.meta.url), args, { execArgv: [] });
  const [ready] = await once(started, "message");
  return [started, ready];
}

/** Asks a process, by a message, and waits for what it answers. */
async function ask<Answer>(asked: ChildProcess, what: "watch" | "held" | { force: boolean }): Promise<Answer> {
  asked.send(what);
  const [answer] = await once(asked, "message");
  return answer as Answer;
}

interface PushSample extends Held {
  readonly tookMs: number;
}

async function push(gateway: ChildProcess, node: ChildProcess, force: boolean): Promise<PushSample> {
  await ask(gateway, "watch");
  const tookMs = await ask<number>(node, { force });
  return { tookMs, ...(await ask<Held>(gateway, "held")) };
}

async function pushSamples(): Promise<PushSample[]> {
  const [gateway, port] = await start("configs-gateway.js");
  const [node] = await start("configs-node.js", `ws://127.0.0.1:${port}/node`, String(pushed));
  const first = await push(gateway, node, false);
  const again = await push(gateway, node, true);
  const skipped = await push(gateway, node, false);
  for (const each of [node, gateway]) {
    each.disconnect();
    await once(each, "exit");
  }
  return [first, again, skipped];
}

async function comparePushes(): Promise<void> {
  const samples: PushSample[][] = [];
  for (let round = 0; round < rounds; round++) samples.push(await pushSamples());
  console.log(
    `\nA push of ${pushed.toLocaleString("en")} over a link   took, ms   longest turn of the gateway's loop, ms   of that CPU`,
  );
  for (const [index, what] of ["the first", "again, forced", "again, skipped"].entries()) {
    const of = samples.map((round) => round[index] as PushSample);
    const figure = (key: keyof PushSample, digits: number, width: number) =>
      median(of.map((sample) => sample[key]))
        .toFixed(digits)
        .padStart(width);
    console.log(what.padEnd(28) + figure("tookMs", 0, 11) + figure("ms", 1, 42) + figure("cpuMs", 1, 14));
  }
  console.log(
    `${"the aims for the first".padEnd(28)}${String(mostPushMs).padStart(11)}${mostHeldMs.toFixed(1).padStart(42)}`,
  );
}

compareTables();
await comparePushes();
