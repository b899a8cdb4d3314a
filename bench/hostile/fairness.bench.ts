// What a calm client waits beside one that floods: 50 calls a second, half of them on the gateway's own thread, half
// on worker threads, and 5 short streams, alone and then beside each flood, in one run on a new gateway for each.
// Client, gateway and attacker share the machine's cores, so the same flood is also sent to another gateway: what the
// calm client waits then is the machine's part. An argument of the script plays only the floods whose names contain it.
// The aim: a p99 of at most twice that alone and 5 ms, and no failed call.
import { setTimeout as sleep } from "node:timers/promises";
import { floods } from "./attacks.js";
import type { Calls, CalmReport } from "./calm-client.js";
import { chosen, end, percentile, Scene } from "./scene.js";

const warmUpMs = 1_500;
const aloneMs = 5_000;
const floodMs = 8_000;
const kinds = ["main", "worker", "stream"] as const;

interface Outcome {
  readonly alone: CalmReport;
  /** While another gateway on this machine is flooded. */
  readonly elsewhere: CalmReport;
  readonly beside: CalmReport;
}

async function play(name: string): Promise<Outcome> {
  const scene = await Scene.set();
  const other = await Scene.set();
  try {
    await sleep(warmUpMs);
    await scene.report();
    await sleep(aloneMs);
    const alone = await scene.report();
    const elsewhere = await flooded(name, other, scene);
    const beside = await flooded(name, scene, scene);
    return { alone, elsewhere, beside };
  } finally {
    await scene.close();
    await other.close();
  }
}

/** What the calm client of `watched` measures while `target` is flooded. */
async function flooded(name: string, target: Scene, watched: Scene): Promise<CalmReport> {
  const attacker = await target.attacker(name);
  await watched.report();
  attacker.send("begin");
  await sleep(floodMs);
  const report = await watched.report();
  await end(attacker);
  return report;
}

function show(name: string, { alone, elsewhere, beside }: Outcome): void {
  const columns = kinds.map((kind) => {
    const { failed } = beside[kind];
    const isMet = p(0.99, beside[kind]) <= 2 * p(0.99, alone[kind]) + 5 && failed === 0;
    const figures = [alone, elsewhere, beside].map(
      (report) => `${ms(p(0.5, report[kind]))}/${ms(p(0.99, report[kind]))}`,
    );
    return `${isMet ? "   met" : "MISSED"}  ${figures.join(" → ")}${failed > 0 ? `, ${failed} failed` : ""}`.padEnd(46);
  });
  console.log(`${name.padEnd(46)}${columns.join("")}`.trimEnd());
}

function p(share: number, { latenciesMs }: Calls): number {
  return percentile(latenciesMs, share);
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}

console.log(
  "p50/p99 of the calm client, milliseconds: alone → while another gateway is flooded → while its own is.\nAim: the last p99 at most 2 × the first + 5, and no failed call.\n",
);
console.log(
  `${"".padEnd(46)}${["main thread", "worker thread", "short stream"].map((kind) => `        ${kind}`.padEnd(46)).join("")}`.trimEnd(),
);
for (const name of chosen(floods)) show(name, await play(name));
