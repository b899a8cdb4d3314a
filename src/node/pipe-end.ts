import type { Clock } from "../core/clock.ts";
import { messageOf, toError } from "../core/errors.ts";
import { decodeEntries } from "./frame-codec.ts";
import type { FrameLimits } from "./frame-scan.ts";
import type { HeartbeatRule } from "./handshake.ts";
import { Outbox } from "./outbox.ts";
import type { Pipe, PipeReceiver } from "./pipe.ts";

/** Who speaks over a {@link PipeEnd}. A throw ends the pipe. */
export interface PipeEndOwner {
  /** A message came while the two greet each other. */
  handshake(message: Uint8Array): void;
  /** An entry came. */
  entry(entry: readonly unknown[]): void;
  /**
   * The pipe has ended; called once.
   * @param undeliveredFrom the first message that certainly has not reached the other end
   */
  pipeEnded(reason: string, undeliveredFrom: number): void;
}

/** What a {@link PipeEnd} takes and gives. */
export interface PipeEndLimits {
  /** What comes in a message. */
  readonly reads: FrameLimits;
  /** What goes in a message. */
  readonly writes: FrameLimits;
  /** Bytes that may wait to be sent while the other end says more and more. */
  readonly maxUnreadBytes: number;
}

/** How long the two ends have to greet each other, milliseconds. */
const handshakeMs = 10_000;

/** How long an end that was refused has to read why and to close, milliseconds. */
const refusedMs = 1_000;

/**
 * One end of a pipe, whichever: greets within its time, then takes entries, and sends heartbeats; ends the pipe when it
 * hears nothing, or what it cannot read.
 */
export class PipeEnd implements PipeReceiver {
  readonly outbox: Outbox;
  /** Resolves when the pipe has ended, right before its owner is told. */
  readonly ended: Promise<void>;
  #onEnded!: () => void;
  readonly #pipe: Pipe;
  readonly #clock: Clock;
  readonly #owner: PipeEndOwner;
  readonly #limits: PipeEndLimits;
  #state: "greeting" | "up" | "closing" | "ended" = "greeting";
  #timer: unknown;
  #heard = true;
  /** The pipe's `bytesRead` at the last tick. */
  #bytesRead = 0;
  #silentFor = 0;
  #tickAt = 0;

  constructor(pipe: Pipe, clock: Clock, owner: PipeEndOwner, limits: PipeEndLimits) {
    this.#pipe = pipe;
    this.#clock = clock;
    this.#owner = owner;
    this.#limits = limits;
    this.outbox = new Outbox(pipe, limits.writes);
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.#timer = clock.setTimeout(
      () => this.close(`the other end did not complete its greeting within ${handshakeMs} ms`),
      handshakeMs,
    );
  }

  get peer(): string {
    return this.#pipe.peer;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Whether nothing can be sent any more. */
  get isOver(): boolean {
    return this.#state === "closing" || this.#state === "ended";
  }

  /** The two have greeted each other: from here on entries and heartbeats travel. @returns false where it is over */
  greeted({ heartbeatMs, missed }: HeartbeatRule): boolean {
    if (this.isOver) return false;
    this.#clock.clearTimeout(this.#timer);
    this.#state = "up";
    this.#tickAt = this.#clock.now();
    const tick = (): void => {
      this.#timer = this.#clock.setTimeout(tick, heartbeatMs);
      this.#tick(heartbeatMs, missed);
    };
    this.#timer = this.#clock.setTimeout(tick, heartbeatMs);
    return true;
  }

  received(message: Uint8Array): void {
    this.#heard = true;
    // A throw ends this pipe alone.
    try {
      if (this.#state === "greeting") this.#owner.handshake(message);
      else if (this.#state === "up" && message.length > 0) this.#take(message);
    } catch (thrown) {
      this.close(messageOf(toError(thrown)));
    }
  }

  /** The other end was told, instead of a greeting, that it is refused: the pipe ends when it has had time to read it. */
  refused(reason: string): void {
    if (this.isOver) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.close(reason), refusedMs);
  }

  /** Ends the pipe; what was put and has not left is dropped. */
  close(reason: string): void {
    if (this.isOver) return;
    this.#stop("closing");
    this.#pipe.close(reason);
  }

  closed(reason: string, undeliveredFrom?: number): void {
    if (this.#state === "ended") return;
    this.#stop("ended");
    this.#onEnded();
    const { sent } = this.outbox;
    this.#owner.pipeEnded(reason, Math.min(undeliveredFrom ?? sent, sent));
  }

  #stop(state: "closing" | "ended"): void {
    this.#state = state;
    this.#clock.clearTimeout(this.#timer);
    this.outbox.close();
  }

  #tick(heartbeatMs: number, missed: number): void {
    const now = this.#clock.now();
    // This process was held itself, and has not read yet what came meanwhile.
    const wasHeld = now - this.#tickAt > heartbeatMs * 2;
    this.#tickAt = now;
    // A message that takes long to come keeps back what the other end says after it, its heartbeats too.
    const { bytesRead = 0 } = this.#pipe;
    const isHeard = this.#heard || bytesRead > this.#bytesRead;
    this.#bytesRead = bytesRead;
    this.#heard = false;
    this.#silentFor = isHeard || wasHeld ? 0 : this.#silentFor + 1;
    if (this.#silentFor >= missed) this.close(`nothing was heard for ${heartbeatMs * missed} ms`);
    else this.outbox.beat();
  }

  #take(message: Uint8Array): void {
    if (this.outbox.bufferedBytes > this.#limits.maxUnreadBytes) {
      this.close("the other end sends more and more, and does not read what it is sent");
      return;
    }
    this.#deliver(decodeEntries(message, this.#limits.reads), 0);
  }

  #deliver(entries: readonly unknown[][], from: number): void {
    let at = from;
    try {
      for (; at < entries.length && this.#state === "up"; at++) this.#owner.entry(entries[at] as unknown[]);
    } finally {
      // Whatever one's listener throws, the other answers of this message are delivered.
      if (at < entries.length && this.#state === "up") this.#deliver(entries, at + 1);
    }
  }
}
