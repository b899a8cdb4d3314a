import { messageOf, toError } from "../../../src/core/errors.ts";
import type { Pipe, PipeReceiver } from "../../../src/node/wire/pipe.ts";

/** The two ends of a pipe within this process: the first belongs to `here`, and its peer is `there`. */
export function createLocalPipe(here: string, there: string): readonly [LocalPipe, LocalPipe] {
  const first = new LocalPipe(`local:${there}`);
  const second = new LocalPipe(`local:${here}`);
  LocalPipe.join(first, second);
  return [first, second];
}

/** One end: messages arrive in a later turn of the event loop, as over a network. */
export class LocalPipe implements Pipe {
  readonly peer: string;
  readonly isLoopback = true;
  bufferedBytes = 0;
  #other!: LocalPipe;
  #receiver!: PipeReceiver;
  #onClosed!: (receiver: PipeReceiver) => void;
  #inbox: Uint8Array[] = [];
  /** How many messages the other end has received. */
  #delivered = 0;
  #isClosed = false;

  constructor(peer: string) {
    this.peer = peer;
  }

  /** Joins two ends to one pipe. */
  static join(first: LocalPipe, second: LocalPipe): void {
    first.#other = second;
    second.#other = first;
  }

  /** Sets the receiver, within the current turn; `onClosed` is called right before the receiver's `closed`. */
  open(receiver: PipeReceiver, onClosed: (receiver: PipeReceiver) => void): void {
    this.#receiver = receiver;
    this.#onClosed = onClosed;
  }

  send(message: Uint8Array): void {
    if (this.#isClosed) return;
    this.bufferedBytes += message.length;
    const inbox = this.#other.#inbox;
    // A copy, since the sender may reuse its memory.
    inbox.push(Uint8Array.from(message));
    if (inbox.length === 1) setImmediate(() => this.#deliver());
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    for (const end of [this, this.#other]) {
      end.#isClosed = true;
      end.bufferedBytes = 0;
      end.#inbox = [];
      setImmediate(() => {
        end.#onClosed(end.#receiver);
        end.#receiver.closed(reason, end.#delivered);
      });
    }
  }

  /** Delivers the messages of one turn to the other end. */
  #deliver(): void {
    const messages = this.#other.#inbox;
    this.#other.#inbox = [];
    for (const message of messages) {
      if (this.#isClosed) return;
      this.bufferedBytes -= message.length;
      this.#delivered++;
      try {
        this.#other.#receiver.received(message);
      } catch (thrown) {
        this.#other.close(messageOf(toError(thrown)));
      }
    }
  }
}
