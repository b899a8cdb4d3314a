import type { ReadStream, WriteStream } from "node:tty";
import type { Health } from "../diagnostics/health.ts";
import type { Statistics } from "../diagnostics/statistics.ts";
import type { AdminClient } from "./admin-client.ts";
import { CliError } from "./cli-error.ts";
import { paint } from "./text.ts";
import { type TopReading, topView } from "./top-view.ts";

const csi = "\u001b[";
// The terminal's other screen, without a cursor, cutting long lines; what was on the first comes back at the end.
const enter = `${csi}?1049h${csi}?25l${csi}?7l`;
const leave = `${csi}?7h${csi}?25h${csi}?1049l`;
const home = `${csi}H`;
const toEndOfLine = `${csi}K`;
const toEndOfScreen = `${csi}J`;

/** Asks a gateway how it is, once. */
export async function readTop(client: AdminClient): Promise<TopReading> {
  const [health, statistics] = await Promise.all([
    client.get<Health>("/api/health"),
    client.get<Statistics>("/api/statistics"),
  ]);
  return { health, statistics };
}

/**
 * Shows how a gateway is until somebody types q or Ctrl+C, or the process is told to end. While the gateway does not
 * answer the screen says so, and it is asked again.
 *
 * @throws CliError when it does not answer the first time
 */
export async function showTop(
  client: AdminClient,
  intervalMs: number,
  input: ReadStream,
  output: WriteStream,
): Promise<void> {
  let reading = await readTop(client);
  let before: TopReading | null = null;
  let problem = "";
  let isOver = false;
  let quit: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    quit = () => {
      isOver = true;
      resolve();
    };
  });
  const typed = (data: Buffer) => {
    if (["q", "Q", "\u0003", "\u0004"].includes(data.toString())) quit();
  };
  const draw = () => {
    const hint = paint("dim", `every ${intervalMs / 1_000} s; q quits`);
    const lines = [...topView(reading, before).split("\n"), "", problem === "" ? hint : paint("red", problem)];
    // A terminal that does not know its size says 0.
    const shown = output.rows > 1 ? lines.slice(0, output.rows - 1) : lines;
    output.write(home + shown.map((line) => `${line}${toEndOfLine}\n`).join("") + toEndOfScreen);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, quit);
  input.setRawMode(true);
  input.on("data", typed);
  input.resume();
  output.write(enter);
  output.on("resize", draw);
  try {
    draw();
    while (!isOver) {
      await Promise.race([over, pause(intervalMs, over)]);
      if (isOver) break;
      try {
        const next = await readTop(client);
        before = reading;
        reading = next;
        problem = "";
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        problem = error.message;
      }
      if (!isOver) draw();
    }
  } finally {
    output.off("resize", draw);
    output.write(leave);
    input.off("data", typed);
    input.setRawMode(false);
    input.pause();
    for (const signal of signals) process.off(signal, quit);
  }
}

/** Resolves after `ms`; its timer goes when `over` comes first. */
function pause(ms: number, over: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void over.then(() => clearTimeout(timer));
  });
}
