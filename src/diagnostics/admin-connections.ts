import type { Socket } from "node:net";

/**
 * The connections of an admin listener. When there are too many, the oldest of those that have shown no token goes: who
 * opens connections and says nothing cannot keep an operator out.
 */
export class AdminConnections {
  readonly #max: number;
  readonly #all = new Set<Socket>();
  /** Those without a token so far, oldest first. */
  readonly #strangers = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    this.#all.add(socket);
    this.#strangers.add(socket);
    socket.once("close", () => this.#delete(socket));
    if (this.#all.size <= this.#max) return;
    // There is one: the newcomer.
    const [oldest] = this.#strangers;
    if (oldest === undefined) return;
    this.#delete(oldest);
    oldest.destroy();
  }

  /** A request of this connection has shown the token. */
  trust(socket: Socket): void {
    this.#strangers.delete(socket);
  }

  #delete(socket: Socket): void {
    this.#all.delete(socket);
    this.#strangers.delete(socket);
  }
}
