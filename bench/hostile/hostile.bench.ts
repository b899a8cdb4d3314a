// What a gateway with default options holds in memory while it is attacked, and whether a calm client is served
// meanwhile. For each attack a new gateway; its calm client calls for a while, then the attacker comes, and goes.
// An argument of the script plays only those whose names contain it. The aims: at most 512 MB above idle, and no call of the calm client failed. The bench ends a gateway that holds 4 GB
// more than when it was idle, as the machine has others to serve.
import { setTimeout as sleep } from "node:timers/promises";
import { memoryAttacks } from "./attacks.js";
import type { CalmReport } from "./calm-client.js";
import { chosen, end, percentile, Scene } from "./scene.js";

const calmMs = 3_000;
const attackMs = 12_000;
const afterMs = 4_000;
const sampleMs = 50;
const mostMoreMb = 512;
const endedAtMb = 4_096;

interface Outcome {
  readonly idleMb: number;
  /** The most of each second above idle. */
  readonly moreMb: readonly number[];
  readonly report: CalmReport;
  readonly fate: string;
}

async function play(name: string): Promise<Outcome> {
  const scene = await Scene.set();
  try {
    await sleep(calmMs);
    const idleMb = scene.residentMb;
    const attacker = await scene.attacker(name);
    await scene.report();
    attacker.send("begin");
    const moreMb: number[] = [];
    let fate = "";
    const from = performance.now();
    for (let at = 0; at < attackMs + afterMs; at = performance.now() - from) {
      if (at >= attackMs) await end(attacker);
      if (!scene.isAlive) {
        fate ||= "the gateway ended";
        break;
      }
      const second = Math.floor(at / 1_000);
      const more = scene.residentMb - idleMb;
      moreMb[second] = Math.max(more, moreMb[second] ?? 0);
      if (more > endedAtMb) {
        fate = "ended by the bench";
        scene.killGateway();
      }
      await sleep(sampleMs);
    }
    await end(attacker);
    return { idleMb, moreMb, report: await scene.report(), fate };
  } finally {
    await scene.close();
  }
}

function show(name: string, { idleMb, moreMb, report, fate }: Outcome): void {
  const most = Math.max(...moreMb);
  const failed = report.main.failed + report.worker.failed + report.stream.failed;
  const isMet = most <= mostMoreMb && failed === 0 && fate === "";
  const latency = (kind: "main" | "worker") =>
    `${kind} ${percentile(report[kind].latenciesMs, 0.5).toFixed(1)} / ${percentile(report[kind].latenciesMs, 0.99).toFixed(1)} / ${percentile(report[kind].latenciesMs, 1).toFixed(0)}`;
  console.log(`\n${name}: ${isMet ? "met" : "MISSED"}${fate === "" ? "" : `, ${fate}`}`);
  console.log(`  idle ${idleMb.toFixed(0)} MB; at most ${most.toFixed(0)} MB more; second by second`);
  console.log(`  ${moreMb.map((more) => more.toFixed(0)).join(" ")}`);
  console.log(`  calm client: ${latency("main")}, ${latency("worker")} ms; ${failed} failed`);
}

console.log(
  `Megabytes above idle, the most of each second; the attacker leaves after ${attackMs / 1_000} s. The calm client's\n` +
    `50 calls a second: p50 / p99 / longest. Aims: at most ${mostMoreMb} MB, no failed call.`,
);
for (const name of chosen(memoryAttacks)) show(name, await play(name));
