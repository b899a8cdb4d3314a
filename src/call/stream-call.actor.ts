import { fromResource } from "../actor/resource.ts";
import { unavailable } from "./request/failure.ts";
import type { StreamCall } from "./stream-call.ts";

/**
 * One stream in the supervision tree. If the actor is killed, its client is notified; when the stream is over, the
 * actor ends.
 */
export const streamCallActor = fromResource<StreamCall>(({ input: stream, finish }) => {
  stream.start(finish);
  // Has no effect on a stream that is over.
  const close = () => stream.abort("stopped", unavailable);
  const { service, requestType, version, window } = stream;
  const windowStatus = () => (window === null ? {} : { window, unacknowledged: stream.unacknowledged });
  return { close, formatStatus: () => ({ service, requestType, version, ...windowStatus() }) };
});
