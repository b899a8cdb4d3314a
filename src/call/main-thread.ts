import { runOnMain } from "../execution/run-on-main.ts";
import { streamOnMain } from "../execution/stream-on-main.ts";
import type { Program } from "../telemetry/main-loop.ts";
import type { Executor } from "./attempt.ts";
import type { StreamExecutor } from "./stream-call.ts";

/** Runs a gateway's functions with `runOn: "main"`. */
export function mainThread(gateway: Program): Executor {
  return { run: (attempt) => runOnMain(attempt.main?.run ?? null, attempt, gateway) };
}

/** Produces the streams of a gateway's functions with `runOn: "main"`. */
export function mainThreadStreams(gateway: Program): StreamExecutor {
  return { stream: (stream) => streamOnMain(stream.target.main?.run ?? null, stream, gateway) };
}
