// What a program costs while nobody calls it: the share of a processor that it takes, and how often it is woken, all its
// threads together. Each program is a process of its own; all are measured at the same time, once V8 has collected what
// their start has left, which takes some ten seconds. The aim for a gateway with nothing: 0.1 % of a core.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { NatsServer } from "../nats-server.js";
import type { Used } from "./program.js";

const settleMs = 20_000;
const measureMs = 20_000;
const aim = { row: "gateway", percent: 0.1 };

const started: ChildProcess[] = [];

/** Starts a script of this folder. @returns the process, and what it sent when it was ready */
async function start(file: string, ...args: string[]): Promise<[ChildProcess, unknown]> {
  const program = fork(new URL(file, import.meta.url), args, { execArgv: [] });
  started.push(program);
  program.on("exit", (code) => {
    if (code !== 0 && code !== null) throw new Error(`${file} ${args.join(" ")} ended with ${code}`);
  });
  const [ready] = await once(program, "message");
  return [program, ready];
}

async function usedBy(program: ChildProcess): Promise<Used> {
  program.send("used");
  const [used] = (await once(program, "message")) as [Used];
  return used;
}

async function startAll(natsUrl: string): Promise<[name: string, program: ChildProcess][]> {
  const [bare] = await start("program.js", "bare");
  const [gateway] = await start("program.js", "gateway");
  const [admin] = await start("program.js", "admin");
  const [silent, silentPort] = await start("program.js", "silent");
  await start("clients.js", String(silentPort));
  const [heartbeats, heartbeatsPort] = await start("program.js", "heartbeats");
  await start("clients.js", String(heartbeatsPort), "heartbeats");
  const [link, linkPort] = await start("program.js", "link");
  const [linkNode] = await start("program.js", "linkNode", `ws://127.0.0.1:${linkPort}/node`);
  const [nats] = await start("program.js", "nats", natsUrl);
  const [natsNode] = await start("program.js", "natsNode", natsUrl);
  return [
    ["bare ws server", bare],
    ["gateway", gateway],
    ["gateway, admin listener", admin],
    ["gateway, 1 000 silent clients", silent],
    ["gateway, 1 000 clients with heartbeats", heartbeats],
    ["gateway, link, a node", link],
    ["  that service node", linkNode],
    ["gateway, NATS, a node", nats],
    ["  that service node", natsNode],
  ];
}

const nats = await NatsServer.start();
try {
  const programs = await startAll(nats.url);
  await sleep(settleMs);
  const from = await Promise.all(programs.map(([, program]) => usedBy(program)));
  const fromMs = performance.now();
  await sleep(measureMs);
  const until = await Promise.all(programs.map(([, program]) => usedBy(program)));
  const seconds = (performance.now() - fromMs) / 1_000;
  console.log(`Over ${Math.round(seconds)} s; of one core${"".padEnd(22)}CPU   wake-ups a second`);
  programs.forEach(([name], index) => {
    const [was, is] = [from[index], until[index]] as [Used, Used];
    const percent = (is.cpuMicros - was.cpuMicros) / seconds / 10_000;
    const verdict = name !== aim.row ? "" : percent <= aim.percent ? "   met" : "   MISSED";
    const wakeUps = ((is.wakeUps - was.wakeUps) / seconds).toFixed(1);
    console.log(`  ${name.padEnd(40)} ${percent.toFixed(2).padStart(6)} %  ${wakeUps.padStart(8)}${verdict}`);
  });
} finally {
  for (const program of started) program.disconnect();
  await nats.stop();
}
