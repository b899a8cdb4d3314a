import { toError } from "../core/errors.ts";
import { loopReleased, loopTaken, type Program } from "../telemetry/main-loop.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import type { ServiceFunction } from "./load-function.ts";
import { StreamProducer } from "./stream-producer.ts";
import { errorOf } from "./thrown-data.ts";
import type { RunningStream, WorkerStream } from "./worker-call.ts";

/** The part of a stream that running on the main thread needs, and its callbacks. */
export type MainStream = Pick<
  WorkerStream,
  "service" | "requestType" | "args" | "identity" | "maxResultBytes" | "window" | "carry" | "chunk" | "ended" | "failed"
>;

const strayError = telemetryEvent("worker_pool.thread.stray_error");

/** Runs a function that answers with a stream on this thread. A cancelled stream may still be notified of its end. */
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
    stream.window,
  );
  if (run !== null) producer.start(run, stream.args, stream.identity, stream);
  // Granted in a later turn, as credit reaches a thread. If granted at once, from within the chunk itself, a function
  // that never waits could run for as long as its client reads, and no other work would get a turn.
  let owed = 0;
  let acknowledged = 0;
  const grantOwed = (): void => {
    const granted = owed;
    owed = 0;
    producer.grant(granted);
  };
  const allowAcknowledged = (): void => {
    const allowed = acknowledged;
    acknowledged = 0;
    producer.acknowledge(allowed);
  };
  return {
    cancel: (reason) => producer.stop(reason),
    grant(chunks) {
      if (owed === 0) setImmediate(grantOwed);
      owed += chunks;
    },
    acknowledge(chunks) {
      if (acknowledged === 0) setImmediate(allowAcknowledged);
      acknowledged += chunks;
    },
  };
}
