import { setTimeout as sleep } from "node:timers/promises";
import type { ReadStream, WriteStream } from "node:tty";
import type { Health } from "../diagnostics/health.ts";
import type { Statistics } from "../diagnostics/statistics.ts";
import type { AdminClient } from "./admin-client.ts";
import { CliError } from "./cli-error.ts";
import { duration, paint } from "./text.ts";
import { type TopReading, topView } from "./top-view.ts";

const csi = "\u001b[";
// The terminal's alternate screen, without a cursor, cutting long lines; the normal screen returns at the end.
const enter = `${csi}?1049h${csi}?25l${csi}?7l`;
const leave = `${csi}?7h${csi}?25h${csi}?1049l`;
const home = `${csi}H`;
const toEndOfLine = `${csi}K`;
const toEndOfScreen = `${csi}J`;

// How long to wait before reporting that no answer comes, and how often to repeat that.
const silenceMs = 1_000;

/**
 * Reads the state of a gateway, once.
 * @param signal cancels it
 */
export async function readTop(client: AdminClient, signal?: AbortSignal): Promise<TopReading> {
  const options = signal === undefined ? {} : { signal };
  const [health, statistics] = await Promise.all([
    client.get<Health>("/api/health", {}, options),
    client.get<Statistics>("/api/statistics", {}, options),
  ]);
  return { health, statistics };
}

/**
 * Shows the state of a gateway until the user types q or Ctrl+C, or the process receives a signal to end. While the
 * gateway does not answer, the screen says so and for how long, and it is asked again.
 *
 * @throws CliError if it does not answer the first time
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
  /** When the first unanswered request was sent; null if all were answered. */
  let askedAt: number | null = null;
  const over = new AbortController();
  const { signal } = over;
  const quit = () => over.abort();
  const typed = (data: Buffer) => {
    if (["q", "Q", "\u0003", "\u0004"].includes(data.toString().charAt(0))) quit();
  };
  const draw = () => {
    const silentMs = askedAt === null ? 0 : performance.now() - askedAt;
    const silence = silentMs < silenceMs ? "" : `The gateway has not answered for ${duration(silentMs)}; q quits`;
    const wrong = [problem, silence].filter((text) => text !== "").join(". ");
    const view = wrong === "" ? topView(reading, before) : topView(reading, before, "no answer");
    const below = wrong === "" ? paint("dim", `every ${intervalMs / 1_000} s; q quits`) : paint("red", wrong);
    const lines = [...view.split("\n"), "", below];
    // A terminal that does not know its size says 0.
    const shown = output.rows > 1 ? lines.slice(0, output.rows - 1) : lines;
    output.write(home + shown.map((line) => `${line}${toEndOfLine}\n`).join("") + toEndOfScreen);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, quit);
  input.setRawMode(true);
  input.on("data", typed);
  input.resume();
  output.write(enter);
  output.on("resize", draw);
  const ticking = setInterval(() => {
    if (askedAt !== null) draw();
  }, silenceMs);
  try {
    draw();
    while (!signal.aborted) {
      try {
        await sleep(intervalMs, undefined, { signal });
        askedAt ??= performance.now();
        const next = await readTop(client, signal);
        before = reading;
        reading = next;
        problem = "";
        askedAt = null;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CliError)) throw error;
        problem = error.message;
      }
      draw();
    }
  } finally {
    clearInterval(ticking);
    output.off("resize", draw);
    output.write(leave);
    input.off("data", typed);
    input.setRawMode(false);
    input.pause();
    for (const name of signals) process.off(name, quit);
  }
}
