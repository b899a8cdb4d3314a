import { fromResource } from "../actor/resource.ts";
import { unavailable } from "./failure.ts";
import type { StreamCall } from "./stream-call.ts";

/** One stream in the supervision tree. When the actor is killed its client is told, when the stream is over it ends. */
export const streamCallActor = fromResource<StreamCall>(({ input: stream, finish }) => {
  stream.start(finish);
  // Does nothing to a stream that is over.
  const close = () => stream.abort("stopped", unavailable);
  const { service, requestType, version } = stream;
  return { close, formatStatus: () => ({ service, requestType, version }) };
});
