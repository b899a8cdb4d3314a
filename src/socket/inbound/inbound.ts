import { toError } from "../../core/errors.ts";
import type { Clock } from "../../core/time/clock.ts";
import { type Flow, FlowTurn, type Turns } from "./flow-turns.ts";
import { type FrameBudget, frameCosts } from "./frame-limit.ts";

/** A message as it came, not yet parsed. */
export interface ReceivedMessage {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** The socket whose bytes an {@link Inbound} reads, and the parser that turns them into messages. */
export interface InboundSource {
  /** Parses bytes; the messages, pings and pongs in them are returned through the methods of {@link Inbound}. */
  parse(bytes: Buffer): void;
  /** Whether the parser accepts more: not after a close frame or a frame that breaks the protocol. */
  readonly isParsing: boolean;
  /** Stops reading from the network until {@link resume}. */
  pause(): void;
  resume(): void;
  readonly isPaused: boolean;
  pong(data: Buffer): void;
}

/** Receives the messages of one socket. */
export interface InboundListener {
  receive(data: Buffer, isBinary: boolean): void;
  /** The socket holds `bytes` more, or fewer, that are not read yet. */
  onHeld(bytes: number): void;
  /**
   * The socket has used up its {@link FrameBudget} for the first time since it recovered, and is paused for `pauseMs`.
   */
  onThrottled(pauseMs: number): void;
  /** It has been over its limit for too long. */
  onFlood(): void;
  /** An unexpected error; nothing more is read. */
  onFault(error: Error): void;
}

// A small slice, so that even one full of empty frames, some 600, takes a fraction of a millisecond.
const sliceBytes = 4_096;

// Every socket may hold this much: less is not worth counting.
const uncountedBytes = 16_384;

// Memory that each piece of an unfinished message takes besides its bytes. A client may send a byte at a time.
const pieceBytes = 512;

/**
 * One client's input: its bytes are parsed, and its messages handled, in {@link Turns} with those of others, within its
 * {@link FrameBudget}. While some wait, nothing more is read from its socket, so that the excess stays with the client.
 */
export class Inbound implements Flow {
  readonly turn: FlowTurn;
  readonly #source: InboundSource;
  readonly #turns: Turns;
  readonly #frames: FrameBudget;
  readonly #clock: Clock;
  #listener: InboundListener | null = null;
  /** Bytes that are not parsed yet. */
  #bytes: Buffer | null = null;
  #messages: ReceivedMessage[] | null = null;
  #messageBytes = 0;
  /** Bytes of the current unfinished message. */
  #partBytes = 0;
  /** The pieces in which they came. */
  #partPieces = 0;
  #partSince: number | null = null;
  #reportedBytes = 0;
  #ping: Buffer | null = null;
  #timer: unknown = null;
  #isStopped = false;

  /** @param identity the socket's owner: sockets of one identity share its turns */
  constructor(source: InboundSource, identity: string, turns: Turns, frames: FrameBudget, clock: Clock) {
    this.turn = new FlowTurn(identity);
    this.#source = source;
    this.#turns = turns;
    this.#frames = frames;
    this.#clock = clock;
  }

  /** When the current unfinished message began; null if there is none. Milliseconds of the clock. */
  get partSince(): number | null {
    return this.#partSince;
  }

  /** Whether any input is not handled yet, including an unfinished message. */
  get isBusy(): boolean {
    return this.#isWaiting || this.#partSince !== null || this.#timer !== null;
  }

  /** Sets the receiver of the messages, before any byte comes. */
  listen(listener: InboundListener): void {
    this.#listener = listener;
  }

  /** Bytes came from the network. */
  receive(bytes: Buffer): void {
    if (this.#isStopped || !this.#source.isParsing) return;
    this.#bytes = this.#bytes === null ? bytes : Buffer.concat([this.#bytes, bytes]);
    this.#go();
  }

  /** The parser found a message. */
  message(data: Buffer, isBinary: boolean): void {
    this.#partBytes = 0;
    this.#partPieces = 0;
    if (this.#isStopped) return;
    this.#messages ??= [];
    this.#messages.push({ data, isBinary });
    this.#messageBytes += data.length;
  }

  /** The parser found a ping. Only the last of several is answered, as RFC 6455 (5.5.3) allows. */
  ping(data: Buffer): void {
    this.#ping = data;
    this.pong(data);
  }

  /** The parser found a pong, perhaps between the parts of a message. */
  pong(data: Buffer): void {
    this.#frames.use(frameCosts.frame);
    this.#partBytes = Math.max(0, this.#partBytes - data.length - controlHeaderBytes);
  }

  /** Takes back messages that had to wait: they come before everything received since. */
  takeBack(messages: readonly ReceivedMessage[]): void {
    if (this.#isStopped || messages.length === 0) return;
    this.#messages = [...messages, ...(this.#messages ?? [])];
    for (const { data } of messages) this.#messageBytes += data.length;
    this.#go();
  }

  /** The socket is gone, or its input is not wanted. */
  stop(): void {
    this.#isStopped = true;
    this.#clock.clearTimeout(this.#timer);
    this.#bytes = null;
    this.#messages = null;
    this.#partSince = null;
  }

  step(): boolean {
    try {
      return this.#step();
    } catch (thrown) {
      this.stop();
      this.#listener?.onFault(toError(thrown));
      return false;
    }
  }

  #step(): boolean {
    if (this.#isStopped || this.#timer !== null) return false;
    const message = this.#messages?.shift();
    if (message !== undefined) this.#handle(message);
    else if (this.#bytes !== null) this.#parse(this.#bytes);
    this.#report();
    if (this.#frames.isSpent && this.#throttle()) return false;
    if (this.#isWaiting) return true;
    if (!this.#isStopped && this.#source.isPaused) this.#source.resume();
    return false;
  }

  get #isWaiting(): boolean {
    return this.#bytes !== null || this.#messages !== null;
  }

  #go(): void {
    if (this.#timer === null) this.#turns.ready(this);
    if (this.#isWaiting && !this.#source.isPaused) this.#source.pause();
  }

  #handle({ data, isBinary }: ReceivedMessage): void {
    if (this.#messages?.length === 0) this.#messages = null;
    this.#messageBytes -= data.length;
    this.#frames.use(frameCosts.frame);
    this.#listener?.receive(data, isBinary);
  }

  #parse(bytes: Buffer): void {
    const slice = bytes.length <= sliceBytes ? bytes : bytes.subarray(0, sliceBytes);
    this.#bytes = slice === bytes ? null : bytes.subarray(sliceBytes);
    this.#frames.use(slice.length / frameCosts.bytesPerPoint);
    this.#partBytes += slice.length;
    this.#source.parse(slice);
    if (this.#partBytes > 0) {
      this.#partPieces++;
      this.#frames.use(frameCosts.frame);
    }
    if (this.#ping !== null) {
      this.#source.pong(this.#ping);
      this.#ping = null;
    }
    if (!this.#source.isParsing) this.#bytes = null;
  }

  #report(): void {
    if (this.#partBytes === 0) {
      this.#partSince = null;
      this.#partPieces = 0;
    } else {
      this.#partSince ??= this.#clock.now();
    }
    const held = this.#partBytes + this.#partPieces * pieceBytes + this.#messageBytes;
    const counted = held > uncountedBytes ? held : 0;
    if (counted === this.#reportedBytes) return;
    const more = counted - this.#reportedBytes;
    this.#reportedBytes = counted;
    this.#listener?.onHeld(more);
  }

  /** @returns whether the socket has to wait */
  #throttle(): boolean {
    const wasOver = this.#frames.isOver;
    const decision = this.#frames.decide(this.#clock.now());
    if (decision === 0) return false;
    if (!this.#source.isPaused) this.#source.pause();
    if (decision === "close") {
      this.#listener?.onFlood();
      return true;
    }
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      // Even if nothing waits: it has to be read from again.
      this.#turns.ready(this);
    }, decision);
    if (!wasOver) this.#listener?.onThrottled(decision);
    return true;
  }
}

// Two bytes and the mask.
const controlHeaderBytes = 6;
