import type { Socket } from "node:net";
import { libraryError } from "../../core/errors.ts";
import { watchOtherUse } from "../../core/net/shared-socket.ts";
import type { ConnectRefusal } from "./read-handshake.ts";

/** A client has to wait for its answer before it sends more; earlier data is kept up to this size. */
const maxEarlyBytes = 64 * 1024;

/**
 * The socket of an unanswered upgrade request. It is read, because otherwise its end would go unnoticed: Node leaves
 * the socket of an upgrade half open when the client has gone.
 */
export class PendingUpgrade {
  /** Resolves with the refusal when an answer is of no use any more. */
  readonly givenUp: Promise<ConnectRefusal>;
  /** Whether another listener has written to the socket, or has closed it. */
  readonly isUsedByOther: () => boolean;
  readonly #controller = new AbortController();
  readonly #socket: Socket;
  readonly #early: Buffer[];
  #earlyBytes = 0;
  #isOver = false;
  #resolve!: (refusal: ConnectRefusal) => void;

  /** @param head the data after the request */
  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.isUsedByOther = watchOtherUse(socket);
    this.#early = [head];
    this.givenUp = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    socket.on("data", this.#onData);
    socket.once("end", this.#onGone);
    socket.once("close", this.#onGone);
    if (socket.destroyed || socket.readableEnded) this.#onGone();
  }

  /** Aborts with {@link giveUp}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the wait: the decision about the client is no longer needed. */
  giveUp(refusal: ConnectRefusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolve(refusal);
    this.#controller.abort(refusal.error);
  }

  /**
   * Releases the socket, paused.
   * @returns the data after the request
   */
  release(): Buffer {
    this.#isOver = true;
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onGone);
    this.#socket.off("close", this.#onGone);
    this.#socket.pause();
    return Buffer.concat(this.#early);
  }

  readonly #onData = (data: Buffer): void => {
    this.#early.push(data);
    this.#earlyBytes += data.length;
    if (this.#earlyBytes <= maxEarlyBytes) return;
    const reason = `the client sent more than ${maxEarlyBytes} bytes before it was let in`;
    this.#early.length = 0;
    this.giveUp({ status: 400, reason, error: libraryError("cancelled", reason) });
  };

  readonly #onGone = (): void => {
    const reason = "the client has gone";
    this.giveUp({ status: 503, reason, error: libraryError("cancelled", reason) });
  };
}
