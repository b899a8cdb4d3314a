// The gateway that configs.bench pushes to. It tells its port; asked "watch" it begins to watch its event loop, asked "held"
// it tells for how long one turn of that took at most.
import { startGenApi } from "gen-api";
import { link } from "gen-api/link";
import { mainThreadMicros } from "../cpu-time.js";

/** The longest turn of the event loop, milliseconds. */
export interface Held {
  readonly ms: number;
  /** The most CPU time that one took: without what other programs made it wait. */
  readonly cpuMs: number;
}

const gateway = await startGenApi({ listen: { host: "127.0.0.1", port: 0 }, cluster: link({ path: "/node" }) });
let held: Held = { ms: 0, cpuMs: 0 };
let at = 0;
let cpuAt = 0;
let turn: NodeJS.Immediate;

function watch(): void {
  const now = performance.now();
  const cpuNow = mainThreadMicros();
  held = { ms: Math.max(held.ms, now - at), cpuMs: Math.max(held.cpuMs, (cpuNow - cpuAt) / 1_000) };
  at = now;
  cpuAt = cpuNow;
  turn = setImmediate(watch);
}

process.on("message", (asked) => {
  clearImmediate(turn);
  if (asked === "watch") {
    held = { ms: 0, cpuMs: 0 };
    at = performance.now();
    cpuAt = mainThreadMicros();
    turn = setImmediate(watch);
  }
  process.send?.(held);
});
process.on("disconnect", () => process.exit());
process.send?.(gateway.address?.port);
