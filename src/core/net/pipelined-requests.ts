import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

// Clients of today wait for each answer. Node handles all requests that came together, perhaps thousands, before it
// does anything else.
const mostAtOnce = 16;

/** A listener that closes a socket on which more than 16 requests come together, and passes on all other requests. */
export function refusePipelines(answer: RequestListener): RequestListener {
  /** How many have come in this turn of the event loop. */
  const counts = new Map<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    if (counts.size === 0) setImmediate(() => counts.clear());
    const count = (counts.get(socket) ?? 0) + 1;
    counts.set(socket, count);
    if (count > mostAtOnce) socket.destroy();
    else answer(request, response);
  };
}
