import { messageOf, toError } from "../core/errors.ts";
import type { Clock } from "../core/time/clock.ts";
import type { HeartbeatRule } from "./greeting/session-handshake.ts";
import type { FrameLimits } from "./message-pack/frame-scan.ts";
import { decodeEntries } from "./wire/frame-codec.ts";
import { HeardByOther, heardBy, heartbeat } from "./wire/heartbeat.ts";
import { Outbox } from "./wire/outbox.ts";
import type { Pipe, PipeReceiver } from "./wire/pipe.ts";

/** The user of a {@link PipeEnd}. A throw ends the pipe. */
export interface PipeEndListener {
  /** A message came during the handshake. */
  onHandshake(message: Uint8Array): void;
  /** An entry came. */
  onEntry(entry: readonly unknown[]): void;
  /**
   * The pipe has ended; called once.
   * @param undeliveredFrom the first message that certainly has not reached the other end
   */
  onPipeEnded(reason: string, undeliveredFrom: number): void;
}

/** The limits of a {@link PipeEnd}. */
export interface PipeEndLimits {
  /** Limits of received messages. */
  readonly reads: FrameLimits;
  /** Limits of sent messages. */
  readonly writes: FrameLimits;
  /** Unsent bytes allowed while the other end keeps sending. */
  readonly maxUnreadBytes: number;
}

/** Time limit of the handshake, milliseconds. */
const handshakeMs = 10_000;

/** Time for a refused end to read the reason and close, milliseconds. */
const refusedMs = 1_000;

// Heartbeats of both ends cross: one may leave before the messages it would have confirmed arrive.
const minUnheard = 2;

/**
 * One end of a pipe, on either side: performs the handshake in its time, then receives entries and sends heartbeats;
 * ends the pipe when it receives nothing, is not received itself, or receives something unreadable.
 */
export class PipeEnd implements PipeReceiver {
  readonly outbox: Outbox;
  /** Resolves when the pipe has ended, right before its owner is notified. */
  readonly ended: Promise<void>;
  #onEnded!: () => void;
  readonly #pipe: Pipe;
  readonly #clock: Clock;
  readonly #listener: PipeEndListener;
  readonly #limits: PipeEndLimits;
  #state: "greeting" | "up" | "closing" | "ended" = "greeting";
  #timer: unknown;
  #heard = true;
  /** How many messages have come. */
  #received = 0;
  readonly #heardByOther = new HeardByOther();
  /** The pipe's `bytesRead` at the last tick. */
  #bytesRead = 0;
  #silentFor = 0;
  #tickAt = 0;

  constructor(pipe: Pipe, clock: Clock, listener: PipeEndListener, limits: PipeEndLimits) {
    this.#pipe = pipe;
    this.#clock = clock;
    this.#listener = listener;
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

  /**
   * The handshake has succeeded: entries and heartbeats follow.
   * @returns false if the pipe is over
   */
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
    this.#received += 1;
    // A throw ends this pipe alone.
    try {
      if (this.#state === "greeting") this.#listener.onHandshake(message);
      else if (this.#state === "up") this.#take(message);
    } catch (thrown) {
      this.close(messageOf(toError(thrown)));
    }
  }

  /** The other end was refused instead of welcomed: the pipe ends when it has had time to read that. */
  refused(reason: string): void {
    if (this.isOver) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.close(reason), refusedMs);
  }

  /** Ends the pipe; unsent entries are dropped. */
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
    this.#listener.onPipeEnded(reason, Math.min(undeliveredFrom ?? sent, sent));
  }

  #stop(state: "closing" | "ended"): void {
    this.#state = state;
    this.#clock.clearTimeout(this.#timer);
    this.outbox.close();
  }

  #tick(heartbeatMs: number, missed: number): void {
    const now = this.#clock.now();
    // This process itself was blocked, and has not yet read what came meanwhile.
    const wasHeld = now - this.#tickAt > heartbeatMs * 2;
    this.#tickAt = now;
    // A message that takes long to arrive holds back the messages after it, including heartbeats.
    const { bytesRead = 0 } = this.#pipe;
    const isHeard = this.#heard || bytesRead > this.#bytesRead;
    this.#bytesRead = bytesRead;
    this.#heard = false;
    this.#silentFor = isHeard || wasHeld ? 0 : this.#silentFor + 1;
    if (wasHeld) this.#heardByOther.forgive();
    const unheardFor = this.#heardByOther.tick();
    if (this.#silentFor >= missed) {
      this.close(`nothing was received for ${heartbeatMs * missed} ms`);
    } else if (unheardFor >= Math.max(missed, minUnheard)) {
      this.close(`the other end received nothing for ${heartbeatMs * unheardFor} ms`);
    } else {
      this.outbox.send(heartbeat(this.#received + bytesRead));
    }
  }

  #take(message: Uint8Array): void {
    const heard = heardBy(message);
    if (heard !== null) {
      this.#heardByOther.told(heard);
      return;
    }
    if (this.outbox.bufferedBytes > this.#limits.maxUnreadBytes) {
      this.close("the other end keeps sending and does not read");
      return;
    }
    this.#deliver(decodeEntries(message, this.#limits.reads), 0);
  }

  #deliver(entries: readonly unknown[][], from: number): void {
    let at = from;
    try {
      for (; at < entries.length && this.#state === "up"; at++) this.#listener.onEntry(entries[at] as unknown[]);
    } finally {
      // Deliver the other entries of this message even if one's listener throws.
      if (at < entries.length && this.#state === "up") this.#deliver(entries, at + 1);
    }
  }
}
