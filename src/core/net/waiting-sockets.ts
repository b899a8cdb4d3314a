import type { Socket } from "node:net";
import type { Clock } from "../time/clock.ts";
import { networkOfPeer } from "./ip-address.ts";
import type { UpgradeTaker } from "./server-upgrades.ts";
import { underlyingSocket } from "./underlying-socket.ts";

/**
 * Called when sockets were closed.
 * @param network the network of most of them
 */
export type OnDrop = (count: number, network: string) => void;

// A crowd that returns at once, after a restart, takes time to speak: sockets younger than this are spared.
const graceMs = 1_000;

// More than this many times the allowed number is not a crowd but an attack.
const mostInGrace = 8;

/**
 * The sockets of a server that have not shown their purpose yet. When there have been too many for a second, the oldest
 * of the network with the most is closed: a client that opens connections and says nothing cannot keep others out for
 * longer.
 */
export class WaitingSockets {
  /** The first of a server's recipients: it takes no request, and forgets the sockets of upgrade requests. */
  readonly upgrades: UpgradeTaker = {
    upgrade: (_request, socket) => {
      this.delete(underlyingSocket(socket));
      return false;
    },
  };
  readonly #max: number;
  readonly #onDrop: OnDrop;
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #sockets = new Map<Socket, { readonly network: string; readonly since: number }>();
  readonly #counts = new Map<string, number>();
  #timer: unknown = null;
  #isTrimming = false;

  constructor(max: number, onDrop: OnDrop, clock: Clock) {
    this.#max = max;
    this.#onDrop = onDrop;
    this.#clock = clock;
  }

  get size(): number {
    return this.#sockets.size;
  }

  add(socket: Socket): void {
    const network = networkOfPeer(socket.remoteAddress);
    this.#sockets.set(socket, { network, since: this.#clock.now() });
    this.#counts.set(network, (this.#counts.get(network) ?? 0) + 1);
    socket.once("close", this.#onClose);
    const { size } = this.#sockets;
    if (size > this.#max && this.#timer === null) this.#judgeLater();
    if (size > this.#max * mostInGrace && !this.#isTrimming) this.#trimSoon();
  }

  /** The socket has shown its purpose. */
  delete(socket: Socket): void {
    const network = this.#sockets.get(socket)?.network;
    if (network === undefined) return;
    socket.off("close", this.#onClose);
    this.#sockets.delete(socket);
    const left = (this.#counts.get(network) ?? 0) - 1;
    if (left > 0) this.#counts.set(network, left);
    else this.#counts.delete(network);
  }

  /** Closes them all. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
    for (const socket of [...this.#sockets.keys()]) this.#destroy(socket);
  }

  #judgeLater(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      this.#trim(this.#max, this.#clock.now() - graceMs);
      if (this.#sockets.size > this.#max) this.#judgeLater();
    }, graceMs);
  }

  /**
   * Many connections are accepted in one turn of the event loop before any of them is read: waits, so that input that
   * has arrived is read first.
   */
  #trimSoon(): void {
    this.#isTrimming = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#isTrimming = false;
        this.#trim(this.#max * mostInGrace, Number.POSITIVE_INFINITY);
      }),
    );
  }

  /** @param before closes only sockets that have waited since before then */
  #trim(max: number, before: number): void {
    const drops = new Map<string, number>();
    let most = mostOf(this.#counts);
    for (const [socket, { network, since }] of this.#sockets) {
      if (this.#sockets.size <= max || since > before) break;
      if (network !== most) continue;
      this.#destroy(socket);
      most = mostOf(this.#counts);
      drops.set(network, (drops.get(network) ?? 0) + 1);
    }
    const count = [...drops.values()].reduce((sum, each) => sum + each, 0);
    if (count > 0) this.#onDrop(count, mostOf(drops));
  }

  #destroy(socket: Socket): void {
    this.delete(socket);
    socket.destroy();
  }

  // One for all: a closure each would live as long as its socket.
  readonly #onClose = ((waiting) =>
    function (this: Socket): void {
      waiting.delete(this);
    })(this);
}

function mostOf(counts: ReadonlyMap<string, number>): string {
  let most = 0;
  let found = "";
  for (const [network, count] of counts) {
    if (count <= most) continue;
    most = count;
    found = network;
  }
  return found;
}
