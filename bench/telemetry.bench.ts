// What telemetry costs a request: a host's call of a function on the main thread while nobody listens, with one handler,
// with a log, with a handler of everything, which are most of what happens in such a request. Every variant has a
// process of its own in each round, as channels that once had subscribers are slower; CPU time, as the machine is shared.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startGenApi, telemetry } from "../dist/index.js";
import { telemetryEvent } from "../dist/telemetry/telemetry.js";

const rounds = 7;
const warmUpRequests = 40_000;
const requests = 100_000;
const checks = 50_000_000;

const ignore = (): void => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

const variants = {
  none: "nobody listens",
  start: "one handler, executor.request.start",
  stop: "one handler, executor.request.stop",
  other: "one handler, of an event that does not happen",
  info: 'a logger that writes nothing, level "info"',
  debug: 'a logger that writes nothing, level "debug"',
  all: "one handler of all events",
};
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];

async function measure(variant: Variant): Promise<number> {
  const levels = variant === "debug" ? ["debug", "info", "warn", "error"] : ["info", "warn", "error"];
  const logger = { ...log, isLevelEnabled: (level: string) => levels.includes(level) };
  const config = { service: "bench", requestType: "echo", mfa: "bench.echo", nodes: "local", timeout: 5_000 } as const;
  const gateway = await startGenApi({
    modules: { bench: new URL("./worker/worker-functions.js", import.meta.url) },
    functions: [{ ...config, runOn: "main", argTypes: { value: "num" } }],
    workerPool: { threads: 1 },
    logger: variant === "info" || variant === "debug" ? logger : false,
  });
  let told = 0;
  const count = (): void => {
    told++;
  };
  if (variant === "start") telemetry.attach("executor.request.start", count);
  if (variant === "stop") telemetry.attach("executor.request.stop", count);
  if (variant === "other") telemetry.attach("channel.join", count);
  if (variant === "all") telemetry.attachAll(count);
  const run = async (count: number): Promise<void> => {
    for (let value = 0; value < count; value++) {
      await gateway.call({ service: "bench", requestType: "echo", args: { value } });
    }
  };
  await run(warmUpRequests);
  const before = process.cpuUsage();
  await run(requests);
  const { user, system } = process.cpuUsage(before);
  if ((variant === "start" || variant === "stop") && told !== warmUpRequests + requests) {
    throw new Error(`${told} events of ${warmUpRequests + requests} requests`);
  }
  await gateway.stop();
  return ((user + system) * 1_000) / requests;
}

/** Nanoseconds for asking whether anybody listens to an event. */
function measureCheck(): number {
  const event = telemetryEvent("executor.request.stop");
  let active = 0;
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) if (event.active) active++;
  };
  run(checks);
  const before = process.cpuUsage();
  run(checks);
  const { user, system } = process.cpuUsage(before);
  if (active > 0) throw new Error("somebody listens");
  return ((user + system) * 1_000) / checks;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const script = fileURLToPath(import.meta.url);
const [variant] = process.argv.slice(2);
if (variant !== undefined) {
  console.log(await measure(variant as Variant));
} else {
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const { stdout, stderr, status } = spawnSync(process.execPath, [script, name], { encoding: "utf8" });
      if (status !== 0) throw new Error(`${name}: ${stderr}`);
      samples.get(name)?.push(Number(stdout));
    }
  }
  const none = samples.get("none") ?? [];
  console.log(`one check whether anybody listens: ${measureCheck().toFixed(2)} ns of CPU\n`);
  console.log(`${"".padEnd(48)}  CPU a request   more than nobody, same round`);
  for (const name of names) {
    const own = samples.get(name) ?? [];
    const more = median(own.map((sample, round) => sample - (none[round] ?? Number.NaN)));
    const cost = `${(median(own) / 1_000).toFixed(2)} µs`.padStart(13);
    console.log(`${variants[name].padEnd(48)}  ${cost}   ${name === "none" ? "" : `${(more / 1_000).toFixed(2)} µs`}`);
  }
}
