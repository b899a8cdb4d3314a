import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

const opening = new AsyncLocalStorage<SocketTrace>();
const channel = "net.client.socket";

/**
 * The TCP sockets that a piece of code opens. The NATS client gives up on a server that accepts connections but says
 * nothing, as a suspended process does, without closing its socket, which would keep the program alive; and a
 * connection attempt cannot be cancelled. This list of sockets makes it possible to close them.
 */
export class SocketTrace {
  #sockets: Socket[] = [];
  #isClosed = false;

  /** Runs `open`; sockets that it opens, and that the code it starts opens later, belong to this trace. */
  run<Result>(open: () => Promise<Result>): Promise<Result> {
    return opening.run(this, open);
  }

  /** Called for each socket that is opened in {@link run}. */
  opened(socket: Socket): void {
    if (this.#isClosed) {
      // The event comes before it connects, when its opener does not listen to it yet.
      process.nextTick(() => socket.destroy());
      return;
    }
    this.#sockets = this.#sockets.filter((other) => !other.destroyed);
    this.#sockets.push(socket);
  }

  /** Closes all of them at once. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets = [];
  }

  /** Closes all of them, and immediately those that are opened from now on. */
  close(): void {
    this.#isClosed = true;
    this.destroy();
  }
}

function onSocket(message: unknown): void {
  opening.getStore()?.opened((message as { socket: Socket }).socket);
}

let users = 0;

/** Watches sockets for as long as there are traces. */
export function startTracing(): void {
  if (users === 0) subscribe(channel, onSocket);
  users += 1;
}

/** Undoes one {@link startTracing}. */
export function stopTracing(): void {
  users -= 1;
  if (users === 0) unsubscribe(channel, onSocket);
}
