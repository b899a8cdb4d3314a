// What an actor costs, beside what a user would take instead: bare XState, nact, comedy, and functions behind a promise
// queue. Each round measures each of them once, in a process of its own; the figures are medians.
import { fork } from "node:child_process";
import { once } from "node:events";
import { installCompared } from "../compared-packages.js";

const rounds = 3;
const contenders = {
  genApi: "gen-api/otp",
  xstate: "bare XState",
  nact: "nact",
  comedy: "comedy",
  promiseQueue: "promise queue",
} as const;

const rows = {
  startFew: "start one beside 100, µs",
  startMany: "start one beside 100 000, µs",
  stopFew: "stop one beside 100, µs",
  stopMany: "stop one beside 100 000, µs",
  fill: "start each of 100 000, µs",
  close: "stop each of 100 000, all at once, µs",
  call: "call, awaited one by one, µs",
  callsAtOnce: "call, 100 at once, µs",
  callMany: "call, to each of 100 000 in turn, µs",
  cast: "cast, µs",
  crash: "crash and restart, until the new one answers, µs",
  heap: "heap for each of 100 000, bytes",
  rss: "RSS for each of 100 000, bytes",
} as const;

type Result = Readonly<Partial<Record<keyof typeof rows, number>>>;

async function measure(name: string): Promise<Result> {
  const child = fork(new URL("actor-process.js", import.meta.url), [name], { execArgv: ["--expose-gc"] });
  const [result] = (await Promise.race([once(child, "message"), failure(child)])) as [Result];
  return result;
}

async function failure(child: ReturnType<typeof fork>): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`The process ended with ${code}`);
}

function median(samples: readonly (number | undefined)[]): string {
  const sorted = samples.filter((sample) => sample !== undefined).toSorted((a, b) => a - b);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) return "–";
  return middle.toFixed(middle < 100 ? 2 : 0);
}

installCompared();
const results = new Map<string, Result[]>(Object.keys(contenders).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, measured] of results) measured.push(await measure(name));
}
console.log(["".padEnd(50), ...Object.values(contenders).map((title) => title.padStart(13))].join(" "));
for (const [row, title] of Object.entries(rows)) {
  const cells = Array.from(results.values(), (measured) => median(measured.map((each) => each[row as keyof Result])));
  console.log([title.padEnd(50), ...cells.map((cell) => cell.padStart(13))].join(" "));
}
