import { write, writeSync } from "node:fs";
import { type Clock, systemClock } from "../../core/time/clock.ts";
import { type LineOutput, LineWriter } from "./line-writer.ts";

/** Stdout or stderr. */
export type OutputName = "stdout" | "stderr";

const descriptors = { stdout: 1, stderr: 2 } as const;
const writers = new Map<OutputName, LineWriter>();

/**
 * Stdout or stderr, for all logs of the process. It is neither pino's own destination, which does not survive a full
 * disk and then keeps the process from ending, nor `process.stdout`, whose errors belong to the host.
 */
export function standardLines(name: OutputName): LineWriter {
  const known = writers.get(name);
  if (known !== undefined) return known;
  // Reading the stream makes Node set a pipe to non-blocking: a full one is then an error, not an endless wait.
  isTerminal(name);
  const lines = new LineWriter(outputOf(descriptors[name]), backgroundClock);
  process.once("exit", () => lines.flushSync());
  writers.set(name, lines);
  return lines;
}

/** Whether it is a terminal. */
export function isTerminal(name: OutputName): boolean {
  return process[name].isTTY === true;
}

/** Whether it is a terminal, and colours are not disabled. */
export function isColoured(name: OutputName): boolean {
  return isTerminal(name) && process[name].hasColors();
}

function outputOf(descriptor: number): LineOutput {
  return {
    write: (bytes, done) => write(descriptor, bytes, done),
    writeSync: (bytes) => writeSync(descriptor, bytes),
  };
}

/** The machine's clock, but its timers do not keep the process alive. */
export const backgroundClock: Clock = { ...systemClock, setTimeout: (run, ms) => setTimeout(run, ms).unref() };
