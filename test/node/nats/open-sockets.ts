import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** How many TCP connections this process has; waits 20 seconds for there to be no more than `allowed`. */
export async function openSockets(allowed = 0): Promise<number> {
  const start = performance.now();
  for (;;) {
    const open = process.getActiveResourcesInfo().filter((resource) => resource === "TCPSocketWrap").length;
    if (open <= allowed || performance.now() - start > 20_000) return open;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The TCP sockets that this process opens until the end of the `using` block, in order. */
export function watchSockets() {
  const sockets: Socket[] = [];
  const keep = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", keep);
  return { sockets, [Symbol.dispose]: () => void unsubscribe("net.client.socket", keep) };
}
