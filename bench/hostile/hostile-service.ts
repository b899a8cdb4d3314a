// The functions of the gateway that is attacked: what the calm client calls, and what attackers abuse.
import { setTimeout as sleep } from "node:timers/promises";
import { defineService } from "gen-api";

const largeText = "x".repeat(8_000_000);
const line = `${"x".repeat(1_023)}\n`;

/** Every function is open to anybody, as the gateways that are attacked first. */
export const hostile = defineService("hostile", import.meta.url, {
  /** Returns its argument, on the gateway's own thread. */
  echo_main: { args: { text: "string" }, runOn: "main", handler: ({ text }) => text },
  /** The same on a worker thread. */
  echo_worker: { args: { text: "string" }, handler: ({ text }) => text },
  /** Three chunks at once. */
  short_stream: {
    responseType: "stream",
    *handler() {
      yield 1;
      yield 2;
      yield 3;
    },
  },
  /** Takes no arguments and waits. */
  wait: { handler: () => sleep(2_500) },
  /** A stream that sends no chunk. */
  silent_stream: {
    responseType: "stream",
    async *handler() {
      await sleep(60_000);
      yield null;
    },
  },
  /** 8 MB. */
  large: { runOn: "main", handler: () => largeText },
  /** Writes 300 MB to stdout. */
  print: {
    handler() {
      for (let written = 0; written < 300_000_000; written += line.length) process.stdout.write(line);
    },
  },
});
