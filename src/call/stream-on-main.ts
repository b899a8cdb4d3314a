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
    return { cancel: (reason) => producer.stop(reason), grant: (chunks) => producer.grant(chunks) };
  },
};
