import { toError } from "../core/errors.ts";
import type { ServiceFunction } from "../core/load-function.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { StreamProducer } from "../worker/stream-producer.ts";
import { errorOf } from "../worker/thrown-data.ts";
import type { RunningStream, WorkerStream } from "../worker/worker-call.ts";
import type { StreamExecutor } from "./stream-call.ts";

/** What of a stream a function of the main thread is run with, and who takes its chunks. */
export type MainStream = Pick<
  WorkerStream,
  "service" | "requestType" | "args" | "identity" | "maxResultBytes" | "chunk" | "ended" | "failed"
>;

const strayError = telemetryEvent("worker_pool.thread.stray_error");

/** Produces the streams of a gateway's functions with `runOn: "main"`. */
export function mainThreadStreams(gateway: Program): StreamExecutor {
  return { stream: (stream) => streamOnMain(stream.target.main, stream, gateway) };
}

/** Runs a function that answers with a stream on this thread. Once it was cancelled the stream may still be told its end. */
export function streamOnMain(run: ServiceFunction | null, stream: MainStream, program: Program): RunningStream {
  const producer = new StreamProducer(
    {
      chunk: (json) => stream.chunk(json),
      ended: (lastJson) => stream.ended(lastJson),
      failed: (data) => stream.failed(errorOf(data), true),
      loop: {
        taken: () => loopTaken(program.clock),
        released: (since) => loopReleased(since, program, "stream", stream),
      },
      stray(thrown) {
        if (!strayError.active) return;
        const identity = { program: program.name, pool: "main" };
        strayError.emit({ system_time: program.clock.systemTime() }, { ...identity, error: toError(thrown) });
      },
    },
    stream.maxResultBytes,
  );
  if (run !== null) producer.start(run, stream.args, stream.identity);
  // In a later turn, as credit reaches a thread. Granted at once, from within the chunk that it is for, it would let a
  // function that never waits run for as long as its client reads: nobody else's turn would come.
  let owed = 0;
  const grantOwed = (): void => {
    const granted = owed;
    owed = 0;
    producer.grant(granted);
  };
  return {
    cancel: (reason) => producer.stop(reason),
    grant(chunks) {
      if (owed === 0) setImmediate(grantOwed);
      owed += chunks;
    },
  };
}
