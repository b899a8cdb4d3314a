import { toError } from "../core/errors.ts";
import { telemetryEvent } from "../telemetry/telemetry.ts";
import { StreamProducer } from "../worker/stream-producer.ts";
import { errorOf } from "../worker/thrown-data.ts";
import type { RunningStream, StreamCall, StreamExecutor } from "./stream-call.ts";

const strayError = telemetryEvent("worker_pool.thread.stray_error");

/** Produces the streams of functions with `runOn: "main"`, on the gateway's own thread. */
export const mainThreadStreams: StreamExecutor = {
  stream(stream: StreamCall): RunningStream {
    const producer = new StreamProducer(
      {
        chunk: (json) => stream.chunk(json),
        ended: (lastJson) => stream.ended(lastJson),
        failed: (data) => stream.failed(errorOf(data), true),
        stray(thrown) {
          if (strayError.active)
            strayError.emit({ system_time: stream.clock.systemTime() }, { pool: "main", error: toError(thrown) });
        },
      },
      stream.maxResultBytes,
    );
    const { main } = stream.target;
    if (main !== null) producer.start(main, stream.args, stream.identity);
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
  },
};
